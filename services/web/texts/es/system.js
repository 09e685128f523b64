// Sistema.
export const system = {
  title: "Sistema",
  lead: "Cómo está cada parte del servicio; se mira cada pocos segundos.",
  status: { ready: "Todo funciona.", degraded: "Se leen letras. Falta algo que las tareas necesitan." },
  parts: "Partes",
  ok: "Está",
  missing: "Falta",
  names: {
    classifier: "Clasificador", landmarker: "Buscador de manos", database: "Base de datos", storage: "Almacén",
    "worker-cpu": "Proceso para CPU", "worker-gpu": "Proceso para GPU", dispatcher: "Repartidor", broker: "Mensajero",
  },
  classifier: "Quién responde",
  sources: { starter: "el modelo que viene con el programa", production: "el modelo en producción", path: "un archivo de quien opera el servicio" },
  reads: (letters) => `Lee ${letters}`,
  key: "Clave de API",
  keyHint: "Solo donde el servicio la pide; se queda en este navegador. Quien opera el servicio la crea con: asl key create NOMBRE",
};
