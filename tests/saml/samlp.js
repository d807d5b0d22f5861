// An identity provider for browsers: `samlp` of npm, at which everybody is logged in as alice already.
"use strict";

const fs = require("fs");
const http = require("http");
const path = require("path");

const [modules, port, certificate, key, consumer] = process.argv.slice(2);
const samlp = require(path.join(modules, "samlp"));

const profile = () => ({
  getClaims: () => ({ mail: "alice@example.org", groups: ["visitors", "others"] }),
  getNameIdentifier: () => ({ nameIdentifier: "alice" }),
});
const auth = samlp.auth({
  issuer: `http://127.0.0.1:${port}/idp`,
  cert: fs.readFileSync(certificate),
  key: fs.readFileSync(key),
  getPostURL: (audience, request, req, done) => done(null, consumer),
  getUserFromRequest: () => ({}),
  profileMapper: profile,
  recipient: consumer,
  destination: consumer,
});

http
  .createServer((req, res) => {
    const url = new URL(req.url, `http://127.0.0.1:${port}`);
    req.query = Object.fromEntries(url.searchParams);
    req.get = (name) => req.headers[name.toLowerCase()];
    req.originalUrl = req.url;
    res.set = (name, value) => res.setHeader(name, value);
    res.send = (...body) => res.end(String(body[body.length - 1]));
    auth(req, res, (error) => {
      res.statusCode = 500;
      res.end(String(error));
    });
  })
  .listen(Number(port), "127.0.0.1");
