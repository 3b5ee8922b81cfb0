// The provider that other tests rely on does what its first lines say.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from "jose";

const directory = mkdtempSync(join(tmpdir(), "zhixing-oidc-"));
after(() => rmSync(directory, { recursive: true }));
const file = join(directory, "clients.json");
const claims = { sub: "ann", roles: ["UNIT_OFFICER"], unit: "AQEB", region: "620000" };
writeFileSync(
  file,
  JSON.stringify([
    { client_id: "ann", client_secret: "s3cret", claims, ttl: 60, audience: "zhixing" },
    { client_id: "late", client_secret: "s3cret", claims: { sub: "late" }, ttl: -60, audience: "elsewhere" },
  ]),
);

async function start(context, alg) {
  const program = fileURLToPath(new URL("../oidc/provider.mjs", import.meta.url));
  const child = spawn(process.execPath, [program, "--port", "0", "--alg", alg, "--clients", file], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  context.after(() => child.kill());
  const [line] = await once(child.stdout, "data");
  return JSON.parse(line).issuer;
}

async function json(url, options) {
  const response = await fetch(url, options);
  return { status: response.status, ...(await response.json()) };
}

async function token(issuer, id, secret = "s3cret", inForm = false) {
  const form = new URLSearchParams({ grant_type: "client_credentials" });
  const headers = {};
  if (inForm) {
    form.set("client_id", id);
    form.set("client_secret", secret);
  } else {
    headers.authorization = `Basic ${btoa(`${id}:${secret}`)}`;
  }
  const { token_endpoint: url } = await json(`${issuer}/.well-known/openid-configuration`);
  return json(url, { method: "POST", body: form, headers });
}

async function verify(issuer, jwt, options = {}) {
  const { jwks_uri } = await json(`${issuer}/.well-known/openid-configuration`);
  const { keys } = await json(jwks_uri);
  return jwtVerify(jwt, createLocalJWKSet({ keys }), { issuer, audience: "zhixing", ...options });
}

for (const alg of ["RS256", "ES256"]) {
  test(`tokens signed ${alg} carry the claims of their client`, async (context) => {
    const issuer = await start(context, alg);
    for (const inForm of [false, true]) {
      const { access_token, expires_in } = await token(issuer, "ann", "s3cret", inForm);
      const { payload, protectedHeader } = await verify(issuer, access_token);
      assert.equal(protectedHeader.alg, alg);
      assert.equal(protectedHeader.typ, "at+jwt");
      for (const [name, value] of Object.entries(claims)) assert.deepEqual(payload[name], value);
      assert.equal(payload.exp - payload.iat, 60);
      assert.equal(expires_in, 60);
    }
    const { access_token: late } = await token(issuer, "late");
    await assert.rejects(verify(issuer, late, { audience: "elsewhere" }), { code: "ERR_JWT_EXPIRED" });
    await assert.rejects(verify(issuer, late), { code: "ERR_JWT_CLAIM_VALIDATION_FAILED" });
    assert.equal((await token(issuer, "ann", "wrong")).status, 401);
    assert.equal((await token(issuer, "nobody")).status, 401);
  });
}

test("a key is rotated, the provider goes away and comes back, and requests are counted", async (context) => {
  const issuer = await start(context, "ES256");
  const { access_token: first } = await token(issuer, "ann");
  const post = (path) => json(`${issuer}/test/${path}`, { method: "POST" });

  const { kid } = await post("rotate?keep=true");
  await verify(issuer, first);
  const { access_token: second } = await token(issuer, "ann");
  assert.equal(decodeProtectedHeader(second).kid, kid);
  await post("rotate");
  await assert.rejects(verify(issuer, second), { code: "ERR_JWKS_NO_MATCHING_KEY" });

  const before = await json(`${issuer}/test/requests`);
  await post("down");
  assert.equal((await json(`${issuer}/.well-known/openid-configuration`)).status, 503);
  assert.equal((await json(`${issuer}/jwks`)).status, 503);
  await post("up");
  assert.equal((await json(`${issuer}/jwks`)).status, 200);
  assert.deepEqual(await json(`${issuer}/test/requests`), {
    status: 200,
    discovery: before.discovery + 1,
    jwks: before.jwks + 2,
  });
});
