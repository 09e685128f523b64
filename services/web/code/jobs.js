// Jobs from code.

/** The list of jobs. */
export const jobsCode = (origin) => ({
  curl: `curl "${origin}/api/v1/jobs?state=failed"`,
  python: `from asl.client import Client

with Client("${origin}") as client:
    for job in client.jobs.list():
        print(job.kind, job.state)`,
  js: `const { items } = await (await fetch("${origin}/api/v1/jobs")).json();`,
});

/** One job, watched. */
export const jobCode = (origin, id) => ({
  curl: `curl ${origin}/api/v1/jobs/${id}
curl -N ${origin}/api/v1/jobs/${id}/events`,
  python: `from asl.client import Client

with Client("${origin}") as client:
    for event in client.jobs.watch("${id}"):
        print(event.kind, event.data)`,
  js: `const events = new EventSource("${origin}/api/v1/jobs/${id}/events");
events.addEventListener("progress", ({ data }) => console.log(JSON.parse(data)));`,
});
