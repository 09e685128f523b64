// System.
export const system = {
  title: "System",
  lead: "How each part of the service is, looked at every few seconds.",
  status: { ready: "Everything is at work.", degraded: "Letters are read. Something that jobs need is missing." },
  parts: "Parts",
  ok: "There",
  missing: "Missing",
  names: {
    classifier: "Classifier", landmarker: "Hand landmarker", database: "Database", storage: "Store",
    "worker-cpu": "Worker for CPUs", "worker-gpu": "Worker for GPUs", dispatcher: "Dispatcher", broker: "Broker",
  },
  classifier: "Who answers",
  sources: { starter: "the model that comes with the package", production: "the model in production", path: "a file of the operator's" },
  reads: (letters) => `Reads ${letters}`,
  key: "API key",
  keyHint: "Only where the service asks for one; it stays in this browser. The operator makes one with: asl key create NAME",
};
