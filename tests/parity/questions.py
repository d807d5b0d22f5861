"""What a policy is asked: every rule is an `http:` check to a server here, which says yes and keeps the question."""

import http.server
import json
import pathlib
import threading
import urllib.parse

HERE = pathlib.Path(__file__).parent


class Oracle:
    def __init__(self):
        self.asked = []
        oracle = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                oracle.asked.append((self.headers["Content-Type"], body))
                self.send_response(200)
                self.send_header("Content-Length", "4")
                self.end_headers()
                self.wfile.write(b"True")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def write_rules(self, path):
        defaults = json.loads((HERE.parent.parent / "policy/defaults.json").read_text())
        address = f"http://127.0.0.1:{self.server.server_port}/"
        names = (rule["name"] for rule in defaults)
        path.write_text(json.dumps({name: address for name in names if name.startswith("identity:")}))

    def take(self):
        """The questions since the last time: kind, rule, target, credentials."""
        asked, self.asked = self.asked, []
        return [(kind, *read(kind, body)) for kind, body in asked]


def read(kind, body):
    parts = ("rule", "target", "credentials")
    if kind == "application/json":
        question = json.loads(body)
        return [question[part] for part in parts]
    form = urllib.parse.parse_qs(body, keep_blank_values=True, strict_parsing=True)
    return [json.loads(form[part][0]) for part in parts]
