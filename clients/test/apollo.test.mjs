// Apollo Client: subscriptions over multipart HTTP, as its HttpLink asks for them by itself, and over graphql-ws; objects
// cached by `__typename` and `id`.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { authorization, documents, iterate, story, url, wsUrl } from "../world.mjs";

const http = (options) => new HttpLink({ uri: url, headers: { authorization }, ...options });

const adapter = (client) => {
  const result = (document, variables) => {
    const parsed = gql(documents[document]);
    return parsed.definitions[0].operation === "mutation"
      ? client.mutate({ mutation: parsed, variables })
      : client.query({ query: parsed, variables });
  };
  return {
    run: async (document, variables) => (await result(document, variables)).data,
    fault: async (document) => {
      const error = await result(document).then(() => assert.fail("not refused"), (error) => error);
      assert.ok(CombinedGraphQLErrors.is(error), String(error));
      return error.errors;
    },
    follow: (document, variables) =>
      iterate((observer) => {
        const results = client.subscribe({ query: gql(documents[document]), variables });
        const subscription = results.subscribe({
          ...observer,
          next: ({ data, error }) => (error ? observer.error(error) : observer.next(data)),
        });
        return () => subscription.unsubscribe();
      }),
  };
};

test("the story over Apollo Client, subscriptions over multipart HTTP", async () => {
  await story(adapter(new ApolloClient({ link: http(), cache: new InMemoryCache() })));
});

test("the story over Apollo Client, subscriptions over graphql-ws", async (context) => {
  const socket = createClient({ url: wsUrl, webSocketImpl: WebSocket, connectionParams: { authorization } });
  context.after(() => socket.dispose());
  const link = ApolloLink.split(({ operationType }) => operationType === "subscription", new GraphQLWsLink(socket), http());
  await story(adapter(new ApolloClient({ link, cache: new InMemoryCache() })));
});

test("the story with queries by GET that are first asked for by their hash, which the service does not know", async () => {
  const asked = [];
  const link = http({
    useGETForQueries: true,
    fetch: (input, init) => {
      asked.push(`${init.method} ${new URL(input).searchParams.has("query") || init.method === "POST" ? "document" : "hash"}`);
      return fetch(input, init);
    },
  });
  const sha256 = (document) => createHash("sha256").update(document).digest("hex");
  const persisted = new PersistedQueryLink({ sha256 });
  await story(adapter(new ApolloClient({ link: persisted.concat(link), cache: new InMemoryCache() })));
  // Told once that there are none, it asks for documents.
  assert.deepEqual(asked.slice(0, 3), ["GET hash", "GET document", "GET document"]);
});

test("what a mutation changes is changed in the cache", async () => {
  const client = new ApolloClient({ link: http(), cache: new InMemoryCache() });
  const { run } = adapter(client);
  const input = { name: `缓存单位 ${Date.now()}`, kind: "DEPARTMENT", regionCode: "620000" };
  const { registerUnit } = await run("register", { input });
  const key = `Unit:${registerUnit.unit.id}`;
  assert.equal(client.cache.extract()[key].name, input.name);

  const query = gql`query ($id: ID!) { unit(id: $id) { id name } }`;
  const seen = [];
  const watching = client.watchQuery({ query, variables: { id: registerUnit.unit.id } }).subscribe(({ data }) => {
    if (data?.unit) seen.push(data.unit.name);
  });
  while (seen.length < 1) await new Promise((resolve) => setTimeout(resolve, 5));
  const name = `${input.name} 新`;
  await run("rename", { input: { id: registerUnit.unit.id, name, reason: "试验" } });
  while (seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  watching.unsubscribe();
  assert.deepEqual(seen, [input.name, name]);
  client.stop();
});
