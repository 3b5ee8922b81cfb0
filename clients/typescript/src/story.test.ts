// graphql-request with documents typed by graphql-codegen's client preset: the compiler of TypeScript, at its strictest,
// agrees with the schema about every argument and every answer. graphql-request has no subscriptions.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResultOf, VariablesOf } from "@graphql-typed-document-node/core";
import { ClientError, GraphQLClient } from "graphql-request";
import { indicators, register, units } from "./documents.js";
// The shared story is plain JavaScript.
import { authorization, documents, story, url } from "../../world.mjs";

const client = new GraphQLClient(url, { headers: { authorization } });

test("the story over graphql-request", async () => {
  const typed = { page: units, register };
  await story({
    run: (document, variables) => client.request<unknown>(typed[document as keyof typeof typed], variables),
    fault: async (document) => {
      const error: unknown = await client.request(documents[document]!).catch((error: unknown) => error);
      assert.ok(error instanceof ClientError);
      return error.response.errors;
    },
  });
});

test("what is typed is what comes", async () => {
  const variables: VariablesOf<typeof units> = { first: 2, where: { kind: ["DEPARTMENT"] } };
  const page: ResultOf<typeof units> = await client.request(units, variables);
  for (const unit of page.units.nodes) {
    const kind: "DEPARTMENT" = unit.kind as "DEPARTMENT";
    const region: string = unit.regionCode;
    assert.equal(unit.kind, kind);
    assert.match(region, /^\d{6}$/);
  }
  // @ts-expect-error A unit that is registered needs its region.
  const input: VariablesOf<typeof register>["input"] = { name: "x", kind: "DEPARTMENT" };
  const error: unknown = await client.request(register, { input }).catch((error: unknown) => error);
  assert.ok(error instanceof ClientError);
  assert.equal(error.response.errors?.[0]?.extensions.code, "INVALID_INPUT");
});

test("exact decimals and dates come as text", async () => {
  const page = await client.request(indicators, { first: 20 });
  assert.equal(page.indicators.nodes.length, 20);
  for (const { target } of page.indicators.nodes) {
    assert.match(target.value satisfies string, /^-?\d+(\.\d+)?$/);
    assert.match(target.dueOn satisfies string, /^\d{4}-\d\d-\d\d$/);
  }
});
