"""A consumer of notifications by oslo.messaging: prints each as a line of JSON. Arguments: URL, topic, options of RabbitMQ."""

import json
import sys
import tempfile
import time

import oslo_messaging
from oslo_config import cfg


class Endpoint:
    def info(self, context, publisher_id, event_type, payload, metadata):
        told = {"context": context, "publisher_id": publisher_id, "event_type": event_type, "payload": payload, "metadata": metadata}
        print(json.dumps(told), flush=True)


def main(url, topic, *options):
    conf = cfg.ConfigOpts()
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write("\n".join(["[DEFAULT]", "executor_thread_pool_size = 1", "[oslo_messaging_rabbit]", *(f"{option} = true" for option in options)]))
        file.flush()
        conf(["--config-file", file.name])
        transport = oslo_messaging.get_notification_transport(conf, url=url)
    target = oslo_messaging.Target(topic=topic, exchange="keystone")
    listener = oslo_messaging.get_notification_listener(transport, [target], [Endpoint()], executor="threading")
    listener.start()
    print("{}", flush=True)
    while True:
        time.sleep(60)


main(*sys.argv[1:])
