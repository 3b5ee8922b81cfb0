// The AsyncAPI document as its official parser reads it, with every schema that it leads to.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Parser } from "@asyncapi/parser";
import { url } from "../world.mjs";

test("the document is valid and leads to schemas that are there", async () => {
  const source = url.replace("/graphql", "/asyncapi.json");
  const text = await (await fetch(source)).text();
  const { document, diagnostics } = await new Parser().parse(text, { source });
  const faults = diagnostics.filter(({ severity }) => severity === 0);
  assert.deepEqual(faults.slice(0, 5).map(({ message, path }) => `${path.join(".")}: ${message}`), []);
  assert.equal(document.version(), "3.0.0");
  assert.equal(document.channels().length, 4);
  const messages = document.allMessages().all();
  assert.ok(messages.length > 100);
  for (const message of messages) assert.ok(message.hasPayload(), message.id());
});
