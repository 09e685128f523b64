// The state of the service from code.

/** Whether the service is ready, and which model answers. */
export const stateCode = (origin) => ({
  curl: `curl ${origin}/readyz\ncurl ${origin}/api/v1/asl/model`,
  python: `import httpx

print(httpx.get("${origin}/readyz").json())`,
  js: `const ready = await (await fetch("${origin}/readyz")).json();`,
});
