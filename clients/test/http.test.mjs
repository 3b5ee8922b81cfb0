// The audits of graphql-http: every MUST and every SHOULD of GraphQL over HTTP holds; what it MAY do is listed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { serverAudits } from "graphql-http";
import { url } from "../world.mjs";

const audits = serverAudits({ url });

test("there are audits of each strength", () => {
  for (const strength of ["MUST", "SHOULD", "MAY"])
    assert.ok(audits.filter(({ name }) => name.startsWith(strength)).length >= 5, strength);
});

for (const { id, name, fn } of audits) {
  test(`${id} ${name}`, async (context) => {
    const result = await fn();
    if (result.status === "ok") return;
    if (name.startsWith("MAY")) return context.diagnostic(`not done: ${result.reason}`);
    assert.fail(`${result.status}: ${result.reason}`);
  });
}
