"""A small OpenID provider (OpenID Connect Core 1.0 §3.1) that knows one client and lets everybody in whom the test names.

Prints its issuer. At `/authorize` the test, being the browser, says who logs in (`as=lucy`, who is also anybody else) and what is wrong with the
token (`wrong=nonce|key|audience|expired`, `none`: it is not signed, `hmac`: it is signed with the public key as if that were a secret). The rest is as the standard has it: a code works once, for the verifier of its
challenge (RFC 7636 §4.6), and for the client's own secret.
"""

import base64
import hashlib
import hmac
import http.server
import json
import secrets
import sys
import threading
import time
import urllib.parse

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CLIENT, SECRET = "huitong", "company secret"
KEY, STRANGERS_KEY = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
codes = {}


def unpadded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(claims, wrong):
    """As RFC 7519 §6.1 and RFC 8725 §2.1 have it where it is forged."""
    if wrong not in ("none", "hmac"):
        return jwt.encode(claims, STRANGERS_KEY if wrong == "key" else KEY, algorithm="RS256", headers={"kid": "1"})
    header = {"typ": "JWT", "alg": "none"} if wrong == "none" else {"typ": "JWT", "alg": "HS256", "kid": "1"}
    body = ".".join(unpadded(json.dumps(part).encode()) for part in (header, claims))
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signature = b"" if wrong == "none" else hmac.digest(public, body.encode(), "sha256")
    return body + "." + unpadded(signature)


class Provider(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        asked = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/.well-known/openid-configuration":
            self.answer({
                "issuer": ISSUER,
                "authorization_endpoint": ISSUER + "/authorize",
                "token_endpoint": ISSUER + "/token",
                "jwks_uri": ISSUER + "/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            })
        elif url.path == "/keys":
            key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
            self.answer({"keys": [key | {"kid": "1", "use": "sig", "alg": "RS256"}]})
        elif url.path == "/authorize":
            assert asked["response_type"] == "code" and asked["client_id"] == CLIENT, asked
            assert asked["code_challenge_method"] == "S256" and "openid" in asked["scope"].split(), asked
            code = secrets.token_urlsafe(16)
            codes[code] = asked
            back = urllib.parse.urlencode({"code": code, "state": asked["state"]})
            self.send_response(302)
            self.send_header("Location", asked["redirect_uri"] + "?" + back)
            self.end_headers()

    def do_POST(self):
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        name, _, secret = base64.b64decode(self.headers["Authorization"].split()[1]).decode().partition(":")
        asked = codes.pop(form.get("code"), None)
        challenge = unpadded(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        is_client = (name, urllib.parse.unquote_plus(secret)) == (CLIENT, SECRET)
        if not asked or not is_client or challenge != asked["code_challenge"]:
            return self.answer({"error": "invalid_grant"}, 400)
        wrong, now, who = asked.get("wrong"), int(time.time()), asked.get("as", "lucy")
        access = secrets.token_urlsafe(16)
        claims = {
            "iss": ISSUER,
            "sub": hashlib.sha256(who.encode()).hexdigest(),
            "aud": "another" if wrong == "audience" else CLIENT,
            "iat": now - 7200 if wrong == "expired" else now,
            "exp": now - 3600 if wrong == "expired" else now + 300,
            "nonce": "another" if wrong == "nonce" else asked["nonce"],
            "preferred_username": who,
            "name": who.capitalize(),
            "email": who + "@example.com",
            "at_hash": unpadded(hashlib.sha256(access.encode()).digest()[:16]),
        }
        token = signed(claims, wrong)
        self.answer({"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": token})

    def answer(self, body, status=200):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
ISSUER = f"http://127.0.0.1:{server.server_port}"
print(ISSUER, flush=True)
# It lives as long as its standard input.
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
