// Evaluations from code.

/** An evaluation and what it found. */
export const evaluationCode = (origin, model, dataset, job) => ({
  curl: `curl -X POST ${origin}/api/v1/jobs -H "Content-Type: application/json" \\
    -d '{"kind": "evaluation", "model": {"id": "${model}"}, "data": [{"dataset": "${dataset}"}]}'
curl -OJ ${origin}/api/v1/jobs/${job}/artifacts/report.json
curl -OJ ${origin}/api/v1/jobs/${job}/artifacts/answers.jsonl   # a line for each row`,
  python: `from asl.client import Client
from asl.contracts import EvaluationRequest, FeaturesRef, ModelRef

with Client("${origin}") as client:
    job = client.jobs.submit(EvaluationRequest(
        model=ModelRef(id="${model}"), data=(FeaturesRef(dataset="${dataset}"),),
    ))
    print(client.jobs.wait(job.id).result)`,
  js: `const path = "${origin}/api/v1/jobs/${job}/artifacts";
const report = await (await fetch(\`\${path}/report.json\`)).json();
console.log(report.all_rows.accuracy, report.confusion_matrix);`,
});
