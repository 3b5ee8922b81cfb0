// A real OpenID provider for tests: the certified npm package `oidc-provider` with what a test must be able to do to it.
//
//   node oidc/provider.mjs [--port PORT] [--alg RS256|ES256] --clients FILE
//
// Prints one line of JSON, {"issuer":"http://127.0.0.1:PORT"}, when it answers. FILE lists the clients that may ask for
// tokens (grant client_credentials, secret in the Authorization header or in the form):
//
//   [{ "client_id": "ann", "client_secret": "…", "claims": { "sub": "ann", "roles": ["AUDITOR"] },
//      "ttl": 60, "audience": "zhixing" }]
//
// An access token is a JWT (RFC 9068) with these claims; `ttl` may be negative, for a token that is expired already, and
// a claim such as `iss` or `nbf` takes the place of what the provider says. For tests only, beside what OpenID says:
//
//   POST /test/rotate[?keep=true]   a new signing key; the old one leaves the JWKS unless it is kept
//   POST /test/down, /test/up       discovery and JWKS answer 503 in between
//   GET  /test/requests             {"discovery":0,"jwks":0}: how often each was asked for, also while down
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { exportJWK, generateKeyPair } from "jose";
import Provider from "oidc-provider";

const DISCOVERY = "/.well-known/openid-configuration";
const JWKS = "/jwks";
const RESOURCE = "urn:zhixing:api";

const { values: flags } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    alg: { type: "string", default: "RS256" },
    clients: { type: "string" },
  },
});
const port = Number(flags.port);
if (!Number.isInteger(port) || port < 0 || port > 65535) refuse("--port is not a port");
if (!["RS256", "ES256"].includes(flags.alg)) refuse("--alg is neither RS256 nor ES256");
if (!flags.clients) refuse("--clients FILE is missing");
const clients = new Map(JSON.parse(readFileSync(flags.clients, "utf8")).map((client) => [client.client_id, client]));

// Standard output belongs to the one line; the package tells there what one would change in production.
console.info = console.error;

const requests = { discovery: 0, jwks: 0 };
let down = false;
let keys = [];
let answer;

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://127.0.0.1");
  const asked = { [DISCOVERY]: "discovery", [JWKS]: "jwks" }[pathname];
  if (asked) requests[asked] += 1;
  if (asked && down) return say(response, 503, { error: "temporarily_unavailable" });
  switch (`${request.method} ${pathname}`) {
    case "POST /test/rotate":
      return rotate(searchParams.get("keep") === "true").then((kid) => say(response, 200, { kid }));
    case "POST /test/down":
      down = true;
      return say(response, 200, { down });
    case "POST /test/up":
      down = false;
      return say(response, 200, { down });
    case "GET /test/requests":
      return say(response, 200, requests);
    default:
      return answer(request, response);
  }
});
server.listen(port, "127.0.0.1", async () => {
  await rotate(false);
  console.log(JSON.stringify({ issuer: issuer() }));
});

function issuer() {
  return `http://127.0.0.1:${server.address().port}`;
}

// From now on tokens are signed with a new key.
async function rotate(keep) {
  const { privateKey } = await generateKeyPair(flags.alg, { extractable: true });
  const key = { ...(await exportJWK(privateKey)), kid: randomUUID(), use: "sig", alg: flags.alg };
  keys = keep ? [key, ...keys] : [key];
  answer = provider().callback();
  return key.kid;
}

function provider() {
  return new Provider(issuer(), {
    jwks: { keys },
    clients: [...clients.values()].map(({ client_id, client_secret }) => ({
      client_id,
      client_secret,
      grant_types: ["client_credentials"],
      response_types: [],
      redirect_uris: [],
      id_token_signed_response_alg: flags.alg,
    })),
    routes: { jwks: JWKS },
    cookies: { keys: [randomUUID()] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCE,
        getResourceServerInfo: (_, __, { clientId }) => ({
          audience: clients.get(clientId).audience ?? "zhixing",
          scope: "",
          accessTokenFormat: "jwt",
          accessTokenTTL: Math.max(clients.get(clientId).ttl ?? 600, 1),
          jwt: { sign: { alg: flags.alg } },
        }),
      },
    },
    formats: {
      customizers: {
        jwt(_, token, { payload }) {
          const { claims, ttl } = clients.get(token.clientId);
          if (ttl !== undefined) payload.exp = payload.iat + ttl;
          Object.assign(payload, claims);
        },
      },
    },
  });
}

function say(response, status, body) {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function refuse(reason) {
  console.error(`provider: ${reason}`);
  process.exit(2);
}
