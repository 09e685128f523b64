// Making data sets from code.

/** A data set and its photographs. */
export const datasetCode = (origin, name, letter) => ({
  curl: `curl -X POST ${origin}/api/v1/datasets -H "Content-Type: application/json" -d '{"name": "${name}"}'
curl -F "file=@sign.jpg" -F label=${letter} -F signer=ann ${origin}/api/v1/datasets/${encodeURIComponent(name)}/samples`,
  python: `from pathlib import Path

from asl.client import Client

with Client("${origin}") as client:
    client.datasets.create("${name}")
    client.datasets.upload_folder("${name}", Path("photographs"))  # SIGNER/LETTER/*.jpg`,
  js: `const form = new FormData();
form.append("file", file);
form.append("label", "${letter}");
form.append("signer", "ann");
await fetch("${origin}/api/v1/datasets/${encodeURIComponent(name)}/samples", { method: "POST", body: form });`,
});
