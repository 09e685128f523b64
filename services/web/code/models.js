// Models from code.

/** Models, and one of them promoted. */
export const promotionCode = (origin, id, number) => ({
  curl: `curl ${origin}/api/v1/models
curl -X PUT ${origin}/api/v1/models/aliases/production -H "Content-Type: application/json" \\
    -H 'If-Match: "0"' -d '{"model": "${id}"}'`,
  python: `from asl.client import Client

with Client("${origin}") as client:
    model = client.models.get(${number})
    client.models.promote(model.id)`,
  js: `const path = "${origin}/api/v1/models/aliases/production";
const etag = (await fetch(path)).headers.get("ETag") ?? '"0"';
await fetch(path, {
  method: "PUT",
  headers: { "Content-Type": "application/json", "If-Match": etag },
  body: JSON.stringify({ model: "${id}" }),
});`,
});
