// graphql-js: what introspection answers when it is asked for everything is what stands in schema.graphql, which the
// compilers and linters beside this read.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  buildClientSchema,
  buildSchema,
  getIntrospectionQuery,
  lexicographicSortSchema,
  printSchema,
  validateSchema,
} from "graphql";
import { url } from "../world.mjs";

const file = readFileSync(new URL("../../schema.graphql", import.meta.url), "utf8");

test("the service gives the file away", async () => {
  assert.equal(await (await fetch(`${url}/schema.graphql`)).text(), file);
});

test("the schema is valid", () => {
  assert.deepEqual(validateSchema(buildSchema(file)), []);
});

test("introspection says the same as the file", async () => {
  // Without `schemaDescription`, for which the executor's library has words of its own that say nothing.
  const query = getIntrospectionQuery({
    descriptions: true,
    specifiedByUrl: true,
    directiveIsRepeatable: true,
    inputValueDeprecation: true,
    oneOf: true,
  });
  const headers = { "content-type": "application/json" };
  const answer = await (await fetch(url, { method: "POST", headers, body: JSON.stringify({ query }) })).json();
  assert.equal(answer.errors, undefined);
  const print = (schema) => printSchema(lexicographicSortSchema(schema));
  assert.equal(print(buildClientSchema(answer.data)), print(buildSchema(file)));
});
