// urql: queries by GET where the URL is short enough, as it does by itself; subscriptions over fetch or graphql-ws.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, cacheExchange, fetchExchange, subscriptionExchange } from "@urql/core";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { authorization, documents, iterate, story, url, wsUrl } from "../world.mjs";

const urql = (options, methods = []) =>
  new Client({
    url,
    fetchOptions: { headers: { authorization } },
    fetch: (input, init) => {
      methods.push(init.method);
      return fetch(input, init);
    },
    ...options,
  });

const adapter = (client) => {
  const result = (document, variables) => {
    const query = documents[document];
    const isMutation = query.trimStart().startsWith("mutation");
    return (isMutation ? client.mutation(query, variables) : client.query(query, variables)).toPromise();
  };
  return {
    run: async (document, variables) => {
      const { data, error } = await result(document, variables);
      if (error) throw error;
      return data;
    },
    fault: async (document) => (await result(document)).error.graphQLErrors,
    follow: (document, variables) =>
      iterate((observer) => {
        const { unsubscribe } = client.subscription(documents[document], variables).subscribe(({ data, error }) => {
          if (error) observer.error(error);
          else observer.next(data);
        });
        return unsubscribe;
      }),
  };
};

test("the story over urql, subscriptions over fetch", async () => {
  const methods = [];
  await story(adapter(urql({ exchanges: [cacheExchange, fetchExchange], fetchSubscriptions: true }, methods)));
  assert.deepEqual([...new Set(methods)].sort(), ["GET", "POST"]);
});

test("the story over urql, subscriptions over graphql-ws", async (context) => {
  const socket = createClient({ url: wsUrl, webSocketImpl: WebSocket, connectionParams: { authorization } });
  context.after(() => socket.dispose());
  const forwardSubscription = ({ query, variables }) => ({
    subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables }, sink) }),
  });
  await story(adapter(urql({ exchanges: [cacheExchange, fetchExchange, subscriptionExchange({ forwardSubscription })] })));
});
