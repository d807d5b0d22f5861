"""The services of `guarded.rs` beside this file behind Python's middleware, with the same settings."""

import json
import os
import socketserver
import threading
from wsgiref import simple_server

from keystonemiddleware import auth_token

TOKENS = ("HTTP_X_AUTH_TOKEN", "HTTP_X_SERVICE_TOKEN", "HTTP_X_STORAGE_TOKEN")


class Server(socketserver.ThreadingMixIn, simple_server.WSGIServer):
    daemon_threads = True
    request_queue_size = 256


class Handler(simple_server.WSGIRequestHandler):
    def log_message(self, *_):
        pass


def tell(environ, start_response):
    told = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith(("HTTP_X_", "HTTP_OPENSTACK")) and name not in TOKENS and value is not None
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]


def main():
    settings = json.loads(os.environ["SETTINGS"])
    services = settings.pop("services")
    servers = []
    for options in services:
        port = options.pop("port")
        conf = {
            **{"auth_type": "password", "user_domain_id": "default", "project_domain_id": "default"},
            **{"www_authenticate_uri": settings["auth_url"], "interface": "internal"},
            **{name: str(value) for name, value in {**settings, **options}.items()},
        }
        service = auth_token.AuthProtocol(tell, conf)
        server = simple_server.make_server("127.0.0.1", port, service, Server, Handler)
        servers.append(threading.Thread(target=server.serve_forever))
    for server in servers:
        server.start()


main()
