"""Requests signed by botocore, described as the services that receive them describe them to Keystone."""

import base64
import contextlib
import hashlib
import urllib.parse
from unittest import mock

import botocore.auth
from botocore.auth import HmacV1Auth, S3SigV4Auth, SigV2Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

URL = "http://cloud.test:8773/services/Cloud"
BUCKET = "http://cloud.test:8080/bucket/an object"


@contextlib.contextmanager
def at(moment):
    """Signs as if it were this moment."""
    with (
        mock.patch.object(botocore.auth, "get_current_datetime", lambda: moment.replace(tzinfo=None)),
        mock.patch.object(botocore.auth.time, "gmtime", moment.utctimetuple),
    ):
        yield


def described(request, keys, signature, params):
    """What the middleware of ec2-api and Heat sends."""
    url = urllib.parse.urlsplit(request.url)
    body = request.body or b""
    return {
        "access": keys.access_key,
        "signature": signature,
        "host": url.netloc,
        "verb": request.method,
        "path": url.path,
        "params": params,
        "headers": {"Host": url.netloc, **dict(request.headers.items())},
        "body_hash": hashlib.sha256(body if isinstance(body, bytes) else body.encode()).hexdigest(),
    }


def version_2(keys, method="GET", url=URL, params=None):
    request = AWSRequest(method, url, params={"Action": "DescribeInstances", "Version": "2014-10-01", **(params or {})})
    SigV2Auth(keys).add_auth(request)
    params = dict(request.params)
    return described(request, keys, params.pop("Signature"), params)


def version_4(keys, method="POST", url=URL, params=None, data="Action=DescribeInstances", headers=None):
    """In the `Authorization` header."""
    request = AWSRequest(method, url, params=params or {}, data=data, headers=headers or {})
    SigV4Auth(keys, "ec2", "RegionOne").add_auth(request)
    signature = request.headers["Authorization"].rpartition("Signature=")[2]
    return described(request, keys, signature, dict(request.params))


def version_4_query(keys, method="GET", url=URL, params=None):
    """In the query."""
    request = AWSRequest(method, url, params={"Action": "DescribeInstances", **(params or {})})
    SigV4QueryAuth(keys, "ec2", "RegionOne", expires=60).add_auth(request)
    params = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(request.url).query, keep_blank_values=True))
    return described(request, keys, params.pop("X-Amz-Signature"), params)


def for_s3(keys, text, signature):
    """What Swift's `s3token` sends."""
    token = base64.urlsafe_b64encode(text.encode()).decode()
    return {"access": keys.access_key, "token": token, "signature": signature}


def s3_version_1(keys, method="GET", url=BUCKET, headers=None):
    request = AWSRequest(method, url, headers=headers or {})
    signer = HmacV1Auth(keys)
    signer.add_auth(request)
    signature = request.headers["Authorization"].rpartition(":")[2]
    text = signer.canonical_string(method, urllib.parse.urlsplit(url), request.headers)
    return for_s3(keys, text, signature)


def s3_version_4(keys, method="GET", url=BUCKET, headers=None):
    request = AWSRequest(method, url, headers=headers or {})
    signer = S3SigV4Auth(keys, "s3", "RegionOne")
    signer.add_auth(request)
    signature = request.headers["Authorization"].rpartition("Signature=")[2]
    # The signature and its header are no part of what is signed.
    del request.headers["Authorization"]
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return for_s3(keys, text, signature)


EC2 = (version_2, version_4, version_4_query)
S3 = (s3_version_1, s3_version_4)
ALL = EC2 + S3


def keys(access, secret):
    return Credentials(access, secret)


