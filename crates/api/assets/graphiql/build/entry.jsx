// The page's only script. All it needs to know is in the JSON of <script id="config"> (see README.md), so that
// no inline script is needed and the page works under `script-src 'self'`.
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import 'graphiql/style.css';
import { createRoot } from 'react-dom/client';
import './page.css';

const config = JSON.parse(document.getElementById('config').textContent);
const url = new URL(config.url ?? '/graphql', window.location.href);

/** The WebSocket address of an HTTP address: same host and path, `wss` where the page itself came over TLS. */
function webSocketUrl(http) {
  const address = new URL(http);
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  return address.href;
}

const fetcher = createGraphiQLFetcher({
  url: url.href,
  // One socket per subscription, opened when it starts. The headers of the tab travel as the payload of
  // `connection_init`, because a browser cannot set headers on a WebSocket.
  subscriptionUrl: config.subscriptionUrl ?? webSocketUrl(url),
  headers: { accept: 'application/graphql-response+json, application/json;q=0.9' },
  // The service answers a query in one piece: there is no @defer or @stream.
  enableIncrementalDelivery: false,
});

createRoot(document.getElementById('graphiql')).render(
  <GraphiQL
    fetcher={fetcher}
    defaultQuery={config.defaultQuery}
    defaultHeaders={config.defaultHeaders}
    defaultEditorToolsVisibility
    shouldPersistHeaders={config.persistHeaders ?? true}
    inputValueDeprecation
    schemaDescription
  >
    <GraphiQL.Logo>
      <span className="zhixing-logo">Zhixing 质兴</span>
    </GraphiQL.Logo>
  </GraphiQL>,
);
