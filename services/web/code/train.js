// Trainings and tunings from code.

/** A job submitted from code, but for Python, whose words each kind has of its own. */
const submitting = (origin, body) => ({
  curl: `curl -X POST ${origin}/api/v1/jobs -H "Content-Type: application/json" \\
    -d '${JSON.stringify(body)}'`,
  js: `const job = await (await fetch("${origin}/api/v1/jobs", {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(${JSON.stringify(body)}),
})).json();`,
});

/** A training, watched. */
export const trainingCode = (origin, body) => ({
  ...submitting(origin, body),
  python: `from asl.client import Client
from asl.contracts import FeaturesRef, TrainingOptions, TrainingRequest

with Client("${origin}") as client:
    job = client.jobs.submit(TrainingRequest(
        data=(FeaturesRef(dataset="${body.data[0].dataset}"),),
        options=TrainingOptions.model_validate_json('${JSON.stringify(body.options)}'),
    ))
    for event in client.jobs.watch(job.id):
        print(event.kind, event.data)`,
});

/** A tuning, and the options that it found. */
export const tuningCode = (origin, body) => ({
  ...submitting(origin, body),
  python: `from asl.client import Client
from asl.contracts import FeaturesRef, TrainingOptions, TuningOptions, TuningRequest

with Client("${origin}") as client:
    job = client.jobs.submit(TuningRequest(
        data=(FeaturesRef(dataset="${body.data[0].dataset}"),),
        options=TrainingOptions.model_validate_json('${JSON.stringify(body.options)}'),
        tuning=TuningOptions.model_validate_json('${JSON.stringify(body.tuning)}'),
    ))
    print(client.jobs.wait(job.id).result["flags"])`,
});
