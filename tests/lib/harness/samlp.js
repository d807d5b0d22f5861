// An identity provider for browsers: `samlp` of npm, behind a page on which people say who they are.
"use strict";

const fs = require("fs");
const http = require("http");
const path = require("path");

const [modules, port, certificate, key] = process.argv.slice(2);
const samlp = require(path.join(modules, "samlp"));

const PAGE = `<!DOCTYPE html>
<title>Log in</title>
<h1>samlp</h1>
<form action="" method="post">
<p><input type="text" name="login" placeholder="Name" autofocus>
<p><input type="password" name="password" placeholder="Password">
<p><button type="submit">Log in</button>
</form>`;

const profile = (user) => ({
  getClaims: () => ({ mail: `${user}@example.org`, groups: ["visitors", "others"] }),
  getNameIdentifier: () => ({ nameIdentifier: user }),
});

function answer(req, res, user) {
  const fail = (error) => {
    res.statusCode = 500;
    res.end(String(error));
  };
  samlp.parseRequest(req, (error, asked) => {
    if (error || !asked) return fail(error || "no request");
    const consumer = asked.assertionConsumerServiceURL;
    const auth = samlp.auth({
      issuer: `http://127.0.0.1:${port}/idp`,
      cert: fs.readFileSync(certificate),
      key: fs.readFileSync(key),
      getPostURL: (audience, request, req, done) => done(null, consumer),
      getUserFromRequest: () => user,
      profileMapper: profile,
      recipient: consumer,
      destination: consumer,
    });
    auth(req, res, fail);
  });
}

http
  .createServer(async (req, res) => {
    const url = new URL(req.url, `http://127.0.0.1:${port}`);
    req.query = Object.fromEntries(url.searchParams);
    res.set = (name, value) => res.setHeader(name, value);
    res.send = (...body) => res.end(String(body[body.length - 1]));
    res.set("Content-Type", "text/html");
    if (req.method !== "POST") return res.end(PAGE);
    let form = "";
    for await (const part of req) form += part;
    answer(req, res, new URLSearchParams(form).get("login"));
  })
  .listen(Number(port), "127.0.0.1");
