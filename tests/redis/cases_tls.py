# SPDX-License-Identifier: BSD-2-Clause
"""TLS: the right certificate is let in, everything else is named and shut
out, before a password is sent."""

import os
import subprocess
import time

from rediskit import Client, Fake, Server, free_port, refused


def openssl(*words):
    subprocess.run(["openssl", *words], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Authority:
    """Makes certificates."""

    def __init__(self, directory, name):
        self.directory, self.name = directory, name
        self.cert, key = self._paths(name)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", "/CN=" + name, "-keyout", key, "-out", self.cert)

    def _paths(self, name):
        base = os.path.join(self.directory, name)
        return base + ".pem", base + ".key"

    def sign(self, name, subject, *when):
        """Certificate and key for a subject as in subjectAltName."""
        cert, key = self._paths(name)
        request = cert + ".csr"
        with open(cert + ".ext", "w") as file:
            file.write("subjectAltName=" + subject)
        openssl("req", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                "/CN=redis", "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey",
                self._paths(self.name)[1], "-CAcreateserial", "-out", cert,
                "-extfile", cert + ".ext", *(when or ("-days", "1")))
        os.chmod(key, 0o600)
        return cert, key


def serve(directory, authority, cert, key, *more):
    """A redis-server with TLS, and the option that names it."""
    port = free_port()
    server = Server(directory, "--tls-port", str(port), "--tls-cert-file",
                    cert, "--tls-key-file", key, "--tls-ca-cert-file",
                    authority.cert, *(more or ("--tls-auth-clients", "no")))
    return server, f"server=inet:{port}@127.0.0.1"


def test_tls(directory):
    authority = Authority(directory, "authority")
    other = Authority(directory, "other")
    good = authority.sign("good", "IP:127.0.0.1,DNS:redis.example")
    wanted = ["tls=1", "unsafe=1", "tls_ca_file=" + authority.cert]
    server, where = serve(directory, authority, *good)
    with server:
        with Client(where, *wanted, "limit=9000000", "timeout=20000") as client:
            assert client.call("SET", "mlt:a", "b").trouble == "none"
            assert server.tell("GET", "mlt:a") == "b"
            server.tell("SETRANGE", "mlt:big", str(8 << 20), "end")
            answer = client.ask("pipeline", "GET", "mlt:big")
            assert answer.trouble == "none", answer
            for _ in range(3):
                time.sleep(0.1)
                assert client.call("PING").trouble == "none"
            assert "cmdstat_hello:calls=1," in \
                server.tell("INFO", "commandstats")
            assert client.ask("subscribe", "mlt:1").trouble == "none"
            server.tell("PUBLISH", "mlt:1", "hear")
            assert client.ask("wait", "1000").reply == '"hear"'
        with Client(where, *wanted, "tls_server_name=redis.example",
                    "timeout=2000") as client:
            assert client.call("PING").trouble == "none"
        for name in ("other.example", "127.0.0.2"):
            with Client(where, *wanted, "tls_server_name=" + name,
                        "timeout=2000") as client:
                answer = client.call("PING")
                assert answer.trouble == "TLS failed", answer
                assert "mismatch" in answer.problem, answer
        with Client(where, "tls=1", "unsafe=1", "timeout=2000",
                    "tls_ca_file=" + other.cert) as client:
            answer = client.call("PING")
            assert answer.trouble == "TLS failed", answer
            assert "certificate" in answer.problem, answer
        with Client(server.inet, *wanted, "timeout=1000") as client:
            answer = client.call("PING")        # no TLS there
            assert answer.trouble in ("TLS failed", "timed out"), answer
            assert answer.problem.startswith("TLS: "), answer
        with Client(where, "timeout=2000") as client:
            answer = client.call("PING")        # TLS, but not asked for
            assert answer.trouble in ("not Redis", "connection closed"), answer


def test_expired(directory):
    authority = Authority(directory, "authority")
    cert, key = authority.sign("old", "IP:127.0.0.1", "-days", "-1")
    server, where = serve(directory, authority, cert, key)
    with server, Client(where, "tls=1", "unsafe=1", "timeout=2000",
                        "tls_ca_file=" + authority.cert) as client:
        answer = client.call("PING")
        assert answer.trouble == "TLS failed", answer
        assert "expired" in answer.problem, answer


def test_own_certificate(directory):
    authority = Authority(directory, "authority")
    cert, key = authority.sign("server", "IP:127.0.0.1")
    ours, our_key = authority.sign("client", "DNS:node.example")
    server, where = serve(directory, authority, cert, key,
                          "--tls-auth-clients", "yes")
    wanted = [where, "tls=1", "unsafe=1", "timeout=2000",
              "tls_ca_file=" + authority.cert]
    with server:
        with Client(*wanted, "tls_cert_file=" + ours,
                    "tls_key_file=" + our_key) as client:
            assert client.call("PING").trouble == "none"
        with Client(*wanted) as client:
            assert client.call("PING").trouble in (
                "TLS failed", "connection closed")
    os.chmod(our_key, 0o644)
    assert "may read this file" in refused(
        *wanted, "tls_cert_file=" + ours, "tls_key_file=" + our_key)
    assert "no authorities in it" in refused(
        where, "tls=1", "unsafe=1", "tls_ca_file=" + our_key)


def test_handshake_that_stalls():
    with Fake(lambda connection: time.sleep(3)) as fake, \
            Client(fake.inet, "tls=1", "unsafe=1") as client:
        answer = client.expect("timed out", "PING")
        assert "TLS" in answer.problem, answer
