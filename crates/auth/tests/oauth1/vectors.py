"""Writes vectors.json: what oauthlib, under Python Keystone's validator, signs and makes of signed requests.

Run it with the Python of target/venv/keystone.
"""

import json
import pathlib
import types
import urllib.parse

from keystone.oauth1 import validator
from oauthlib import oauth1
from oauthlib.oauth1.rfc5849 import signature
from oauthlib.oauth1.rfc5849.endpoints import base
from werkzeug.datastructures import ImmutableMultiDict

NOW = 1795366515
CONSUMER, TOKEN = "264957d8902a403ea3dc0f8d33ba6468", "f09fa71afc7d4abca86d8bfc759f12d5"
SECRET, TOKEN_SECRET = "fb2e5b296df5454d818cb2d7bb260f35", "508b37a7581448f0ad0c23c24908a8ab"
VERIFIER = "AXEDnNa3"
METHODS = ("HMAC-SHA1", "HMAC-SHA256", "HMAC-SHA512", "PLAINTEXT")
URLS = ("http://keystone.test:5000/v3/OS-OAUTH1/request_token", "HTTPS://Keystone.Test:443/v3/auth/tokens", "http://k:80/a b/c", "http://k:443/")
URLS += ("https://user:pw@[2001:DB8::0:1]:5000/v3", "http://[::1]/v3/x;y=z", "http://127.0.0.1:8080", "https://k.test/identity/v3/auth/tokens", "http://K:0/v3")
URLS += ("http://k:65536/v3", "http://k:x/v3", "//k/v3", "http:///v3", "http://ü.test/ü", "http://k/%7Euser/%2f")
PARAMETERS = (
    [],
    [("b", "2"), ("a", "1"), ("a", "0"), ("a ", "~"), ("A", "")],
    [("oauth_nonce", "a1"), ("ü", "ä ö"), ("x", "&=+%"), ("*", "'()!"), ("\U0001f600", "\x00"), ("a", "-._~")],
)
SECRETS = (("", ""), (SECRET, ""), (SECRET, TOKEN_SECRET), ("ü&=", "~ %"))


def signatures():
    """Method, URL, parameters, secrets and signature; none where the URL can't be signed."""
    names = {"HMAC-SHA1": "SHA-1", "HMAC-SHA256": "SHA-256", "HMAC-SHA512": "SHA-512"}
    for method in METHODS:
        for url in URLS:
            for parameters in PARAMETERS if url == URLS[0] else PARAMETERS[1:2]:
                for secret, token_secret in SECRETS if url == URLS[0] else SECRETS[2:3]:
                    try:
                        if method == "PLAINTEXT":
                            signed = signature.sign_plaintext(secret, token_secret)
                        else:
                            text = signature.signature_base_string(
                                "POST", signature.base_string_uri(url), signature.normalize_parameters(parameters)
                            )
                            signed = signature._sign_hmac(names[method], text, secret, token_secret)
                    except ValueError:
                        signed = None
                    yield [method, url, parameters, secret, token_secret, signed]


class Provider:
    """The consumer, the request token and the access token that there are."""

    def get_consumer(self, key):
        return {"id": self.found(key, CONSUMER)}

    def get_consumer_with_secret(self, key):
        return {"id": self.found(key, CONSUMER), "secret": SECRET}

    def get_request_token(self, key):
        return {"id": self.found(key, TOKEN), "consumer_id": CONSUMER, "request_secret": TOKEN_SECRET, "verifier": VERIFIER}

    def get_access_token(self, key):
        return {"id": self.found(key, TOKEN), "consumer_id": CONSUMER, "access_secret": TOKEN_SECRET}

    @staticmethod
    def found(key, wanted):
        if key != wanted:
            raise validator.exception.NotFound("not found")
        return key


def outcome(endpoint, url, query, form, header):
    """`valid`, `invalid`, the error in oauthlib's words, or `failed` for what Keystone does not expect."""
    headers = {"Authorization": header} if header is not None else {}
    if form:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    body = ImmutableMultiDict(urllib.parse.parse_qsl(query, keep_blank_values=True))
    uri = url + (f"?{query}" if query else "")
    checks = validator.OAuthValidator()
    try:
        if endpoint == "login":
            request = oauth1.ResourceEndpoint(checks)
            return "valid" if request.validate_protected_resource_request(uri, "POST", body, headers)[0] else "invalid"
        if endpoint == "request":
            _, text, _ = oauth1.RequestTokenEndpoint(checks).create_request_token_response(uri, "POST", body, headers)
        else:
            _, text, _ = oauth1.AccessTokenEndpoint(checks).create_access_token_response(uri, "POST", body, headers)
    except (ValueError, NotImplementedError, validator.exception.NotFound):
        return "failed"
    except Exception as error:  # RSA without a key ends in an error of the library for JWTs
        return f"failed: {type(error).__name__}"[:6]
    if not text:
        return "invalid"
    found = dict(urllib.parse.parse_qsl(text))
    return f"{found['error']}: {found['error_description']}" if "error" in found else "valid"


def signed(endpoint, url, method, query="", realm=None, nonce="342d73f3c4db4f56", timestamp=NOW, secret=SECRET, token_secret=TOKEN_SECRET):
    """The header of oauthlib's own client."""
    token = {} if endpoint == "request" else {"resource_owner_key": TOKEN, "resource_owner_secret": token_secret}
    more = {"callback_uri": "oob"} if endpoint == "request" else {"verifier": VERIFIER} if endpoint == "access" else {}
    client = oauth1.Client(CONSUMER, secret, signature_method=method, nonce=nonce, timestamp=str(timestamp), realm=realm, **token, **more)
    return client.sign(url + (f"?{query}" if query else ""), "POST")[1]["Authorization"]


def changed(header):
    """Headers that are not what was signed, and some that still are."""
    yield header.replace("OAuth ", "oauth ")
    yield header.replace(", ", ",")
    yield header.replace(", ", " , ")
    yield header.replace('"', "")
    yield header + ","
    yield header + ", "
    yield header + ", x"
    yield header + ', a="b"'
    yield header + ', a="b,c\\"d"'
    yield header + ', a='
    yield header + ', realm="x"'
    yield header + ', realm=""'
    yield header + ', realm="it\'s x"'
    yield header + ', oauth_version="1.0"'
    yield header + ', oauth_version="2.0"'
    yield header + ', oauth_version=""'
    yield header + ', oauth_extra="1"'
    yield header.replace("oauth_nonce", " oauth_nonce ")
    yield header.replace("oauth_nonce", "OAUTH_NONCE")
    yield header.replace(CONSUMER, CONSUMER.upper())
    yield header.replace(CONSUMER, CONSUMER[::-1])
    yield header.replace(TOKEN, TOKEN[::-1])
    yield header.replace(TOKEN, TOKEN[:-1])
    yield header.replace(VERIFIER, "ABCD2345")
    yield header.replace(VERIFIER, "0OoIiLl1")
    yield header.replace("oob", "")
    yield header.replace("oob", "http%3A%2F%2Fx%2F%3Fa%3Db%20c")
    for stamp in ("1", "1000000000", "9000000000", f" {NOW}", f"{NOW}0", "-123456789", "+179536651", "12345 6789", "1_79536651", "1__9536651", ""):
        yield header.replace(str(NOW), stamp)
    for nonce in ("ghi", "ABC", "0", "", "%30", "ü", "0 1"):
        yield header.replace("342d73f3c4db4f56", nonce)
    for method in ("RSA-SHA1", "RSA-SHA256", "RSA-SHA512", "plaintext", "MD5", "", "%C3%BC", "PLAINTEXT%20"):
        for known in METHODS:
            yield header.replace(f'"{known}"', f'"{method}"')
    parts = header.removeprefix("OAuth ").split(", ")
    for part in parts:
        yield "OAuth " + ", ".join(other for other in parts if other != part)
    yield from ("", "OAuth", "OAuth ", "OAuth =", "OAuth a=", "Basic YTpi", 'OAuth a="b"', "Bearer " + header)


def requests():
    """Endpoint, URL, query, whether it counts as a form, header and outcome."""
    url = URLS[0]
    for endpoint in ("request", "access", "login"):
        for method in METHODS:
            for target in (*URLS[:4], URLS[4], URLS[7]):
                yield [endpoint, target, "", False, signed(endpoint, target, method)]
            for query in ("a=b", "a=b&a=c&%20=%20", "realm=x", "a=%C3%BC+b", "&&a&b="):
                for form in (False, True):
                    header = signed(endpoint, url, method, query)
                    yield [endpoint, url, query, form, header]
            for query in ("oauth_x=1", "oauth_token=x"):
                for form in (False, True):
                    yield [endpoint, url, query, form, signed(endpoint, url, method)]
            yield [endpoint, url, "", False, signed(endpoint, url, method, realm="x y")]
            for offset in (-601, -600, 600, 601):
                yield [endpoint, url, "", False, signed(endpoint, url, method, timestamp=NOW + offset)]
            yield [endpoint, url, "", False, signed(endpoint, url, method, secret=TOKEN_SECRET)]
            yield [endpoint, url, "", False, signed(endpoint, url, method, token_secret=SECRET)]
        for method in METHODS[:1] + METHODS[-1:]:
            for header in changed(signed(endpoint, url, method)):
                yield [endpoint, url, "", False, header]


def main():
    validator.PROVIDERS = types.SimpleNamespace(oauth_api=Provider())
    base.time = types.SimpleNamespace(time=lambda: float(NOW))
    seen = []
    for request in requests():
        if request not in seen:
            seen.append(request)
    pairs = [urllib.parse.parse_qsl(query, keep_blank_values=True) for _, _, query, _, _ in seen]
    asked = [[*row[:2], found, *row[3:], outcome(*row)] for row, found in zip(seen, pairs, strict=True)]
    parts = {
        "now": NOW,
        "secrets": {"consumer": [CONSUMER, SECRET], "token": [TOKEN, TOKEN_SECRET], "verifier": VERIFIER},
        "signatures": list(signatures()),
        "requests": asked,
    }
    lines = []
    for name, part in parts.items():
        if isinstance(part, list):
            rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in part)
            lines.append(f'"{name}": [\n{rows}\n]')
        else:
            lines.append(f'"{name}": {json.dumps(part)}')
    text = "{" + ",\n".join(lines) + "}\n"
    pathlib.Path(__file__).with_name("vectors.json").write_text(text)


if __name__ == "__main__":
    main()
