#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recomputes exchange.json from its inputs, without any code of the crate.

Needs Python 3.9 or later and the `openssl` command. Powers are Python's; the shared secret is
computed a second and third time by `openssl pkeyutl -derive`, from either side's key. HKDF is
hashlib and hmac; ChaCha20-Poly1305 is written out below from RFC 8439 and first checked against
that document's own example.

    check.py           compares, exit status 1 at the first difference
    check.py --write   computes every output anew from the inputs and writes the file
"""
import base64
import hashlib
import hmac
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

FILE = pathlib.Path(__file__).with_name("exchange.json")
HKDF_LABELS = {
    "key_c2s": b"mfa/1 c2s key",
    "key_s2c": b"mfa/1 s2c key",
    "client_confirm_key": b"mfa/1 client confirm",
    "server_confirm_key": b"mfa/1 server confirm",
}
# RFC 7919, appendix A: X, and the bits of an exponent.
NAMED = {2048: 560316, 3072: 2625351, 4096: 5736041, 6144: 15705020, 8192: 10965728}


def fields(*parts):
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def sha256(data):
    return hashlib.sha256(data).digest()


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def extract(salt, ikm):
    return mac(salt, ikm)


def expand(prk, info, length=32):
    output, block, count = b"", b"", 1
    while len(output) < length:
        block = mac(prk, block + info + bytes([count]))
        output, count = output + block, count + 1
    return output[:length]


# --- ChaCha20-Poly1305, RFC 8439, and XChaCha20, draft-irtf-cfrg-xchacha-03 ---


def rotate(value, count):
    return ((value << count) | (value >> (32 - count))) & 0xFFFFFFFF


def rounds(state):
    def quarter(a, b, c, d):
        for x, y, z, count in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[x] = (state[x] + state[y]) & 0xFFFFFFFF
            state[z] = rotate(state[z] ^ state[x], count)

    for _ in range(10):
        for column in range(4):
            quarter(column, column + 4, column + 8, column + 12)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return state


SIGMA = struct.unpack("<4I", b"expand 32-byte k")


def chacha_block(key, counter, nonce):
    start = [*SIGMA, *struct.unpack("<8I", key), counter, *struct.unpack("<3I", nonce)]
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(start, rounds(start[:]))))


def hchacha(key, nonce):
    state = rounds([*SIGMA, *struct.unpack("<8I", key), *struct.unpack("<4I", nonce)])
    return struct.pack("<8I", *state[:4], *state[12:])


def poly1305(key, message):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for place in range(0, len(message), 16):
        total += int.from_bytes(message[place : place + 16] + b"\x01", "little")
        total = total * r % (2**130 - 5)
    return ((total + int.from_bytes(key[16:], "little")) % 2**128).to_bytes(16, "little")


def aead_seal(key, nonce, aad, plaintext):
    stream = b"".join(
        chacha_block(key, 1 + i, nonce) for i in range((len(plaintext) + 63) // 64)
    )
    ciphertext = bytes(a ^ b for a, b in zip(plaintext, stream))
    pad = lambda data: data + bytes(-len(data) % 16)
    covered = pad(aad) + pad(ciphertext) + struct.pack("<QQ", len(aad), len(ciphertext))
    return ciphertext + poly1305(chacha_block(key, 0, nonce)[:32], covered)


def xaead_seal(key, nonce, aad, plaintext):
    return aead_seal(hchacha(key, nonce[:16]), bytes(4) + nonce[16:], aad, plaintext)


def self_test():
    text = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
        b"future, sunscreen would be it."
    )
    aad = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    key = bytes(range(0x80, 0xA0))
    sealed = aead_seal(key, bytes.fromhex("070000004041424344454647"), aad, text)
    expect("RFC 8439, 2.8.2", sealed[-16:].hex(), "1ae10b594f09e26a7e902ecbd0600691")
    sealed = xaead_seal(key, bytes(range(0x40, 0x58)), aad, text)
    expect("XChaCha draft, A.3.1", sealed[-16:].hex(), "c0875924c1c7987947deafd8780acf49")
    prk = extract(bytes(range(13)), b"\x0b" * 22)
    okm = expand(prk, bytes(range(0xF0, 0xFA)), 42).hex()
    expect(
        "RFC 5869, A.1",
        okm,
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    )


# --- groups ---


def named_prime(bits):
    """2^b - 2^(b-64) + (floor(2^(b-130) e) + X) 2^64 - 1, with e from its series."""
    guard = 64
    term, e, n = 1 << (bits - 130 + guard), 0, 0
    while term:
        e, n = e + term, n + 1
        term //= n
    return 2**bits - 2 ** (bits - 64) + ((e >> guard) + NAMED[bits]) * 2**64 - 1


def group(case):
    if case["group"]:
        p, g = named_prime(int(case["group"][len("ffdhe") :])), 2
    else:
        p, g = int(case["p"], 16), int(case["g"], 16)
    return p, g


def minimal(number):
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


# --- the same exchange by OpenSSL ---


def der(tag, content):
    length = len(content)
    if length < 128:
        return bytes([tag, length]) + content
    size = minimal(length)
    return bytes([tag, 0x80 | len(size)]) + size + content


def der_integer(number):
    return der(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def pem(label, content):
    body = base64.encodebytes(content).decode()
    return f"-----BEGIN {label}-----\n{body}-----END {label}-----\n"


def openssl_derive(p, g, private, public):
    # dhKeyAgreement, PKCS #3: 1.2.840.113549.1.3.1
    oid = bytes.fromhex("06092a864886f70d010301")
    algorithm = der(0x30, oid + der(0x30, der_integer(p) + der_integer(g)))
    key = der(0x30, der_integer(0) + algorithm + der(4, der_integer(private)))
    peer = der(0x30, algorithm + der(3, b"\0" + der_integer(public)))
    with tempfile.TemporaryDirectory() as directory:
        own, other = pathlib.Path(directory, "own.pem"), pathlib.Path(directory, "other.pem")
        own.write_text(pem("PRIVATE KEY", key))
        other.write_text(pem("PUBLIC KEY", peer))
        command = ["openssl", "pkeyutl", "-derive", "-inkey", own, "-peerkey", other]
        return subprocess.run(
            [*command, "-pkeyopt", "dh_pad:1"], check=True, capture_output=True
        ).stdout


# --- what the file holds ---


def exchange(case):
    p, g = group(case)
    size = len(minimal(p))
    x, y = int(case["client_exponent"], 16), int(case["server_exponent"], 16)
    client, server = pow(g, x, p), pow(g, y, p)
    z = pow(server, x, p).to_bytes(size, "big")
    assert z == pow(client, y, p).to_bytes(size, "big")
    expect(f"{case['name']}: Z of OpenSSL, client", openssl_derive(p, g, x, server).hex(), z.hex())
    expect(f"{case['name']}: Z of OpenSSL, server", openssl_derive(p, g, y, client).hex(), z.hex())
    fingerprint = sha256(fields(minimal(p), minimal(g)))
    client, server = client.to_bytes(size, "big"), server.to_bytes(size, "big")
    transcript = sha256(
        fields(
            b"mfa/1",
            case["purpose"].encode(),
            case["user"].encode(),
            struct.pack(">I", case["uid"]),
            fingerprint,
            client,
            server,
            bytes.fromhex(case["client_nonce"]),
            bytes.fromhex(case["server_nonce"]),
        )
    )
    prk = extract(transcript, z)
    keys = {name: expand(prk, label) for name, label in HKDF_LABELS.items()}
    result = {
        "fingerprint": fingerprint,
        "client_public": client,
        "server_public": server,
        "z": z,
        "transcript": transcript,
        "prk": prk,
        **keys,
        "client_confirm": mac(keys["client_confirm_key"], transcript),
        "server_confirm": mac(keys["server_confirm_key"], transcript),
    }
    case.update({name: value.hex() for name, value in result.items()})
    chains = {"c2s": [0, keys["key_c2s"]], "s2c": [0, keys["key_s2c"]]}
    for message in case["messages"]:
        direction = message["direction"]
        seq, key = chains[direction]
        aad = fields(
            bytes.fromhex(case["session"]), direction.encode(), struct.pack(">I", case["epoch"])
        )
        nonce = bytes(4) + struct.pack(">Q", seq)
        ciphertext = aead_seal(key, nonce, aad, bytes.fromhex(message["plaintext"]))
        message.update(
            seq=seq, key=key.hex(), nonce=nonce.hex(), aad=aad.hex(), ciphertext=ciphertext.hex()
        )
        chains[direction] = [seq + 1, expand(key, b"next")]


def sealing(case):
    master = bytes.fromhex(case["master_key"])
    key = expand(master, b"mfa/1 sealing")
    nonce = bytes.fromhex(case["nonce"])
    plaintext, aad = bytes.fromhex(case["plaintext"]), bytes.fromhex(case["aad"])
    case["id"] = expand(master, b"mfa/1 master key id")[:16].hex()
    case["sealing_key"] = key.hex()
    case["sealed"] = (b"\x01" + nonce + xaead_seal(key, nonce, b"\x01" + aad, plaintext)).hex()


def recovery(case):
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    symbols = [byte & 31 for byte in bytes.fromhex(case["drawn"])]

    def times(a, b):
        product = 0
        for bit in range(5):
            if b >> bit & 1:
                product ^= a << bit
        for bit in range(9, 4, -1):
            if product >> bit & 1:
                product ^= 0b100101 << (bit - 5)
        return product

    check, weight = 0, 1
    for symbol in reversed(symbols):
        weight = times(weight, 2)
        check ^= times(weight, symbol)
    code = "".join(alphabet[symbol] for symbol in [*symbols, check])
    key = expand(bytes.fromhex(case["master_key"]), b"mfa/1 recovery codes")
    case["code"] = f"{code[:4]}-{code[4:8]}-{code[8:]}"
    case["keyed_hash"] = mac(key, fields(case["user"].encode(), code.encode())).hex()


def expect(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}: computed {got}, but expected {wanted}")
    print(f"ok: {what}")


def main():
    self_test()
    text = FILE.read_text()
    vectors = json.loads(text)
    for case in vectors["exchanges"]:
        exchange(case)
    for case in vectors["sealing"]:
        sealing(case)
    for case in vectors["recovery"]:
        recovery(case)
    if sys.argv[1:] == ["--write"]:
        FILE.write_text(json.dumps(vectors, indent=2) + "\n")
        return
    stored = json.loads(text)
    for kind in ("exchanges", "sealing", "recovery"):
        for old, new in zip(stored[kind], vectors[kind]):
            for name in new:
                expect(f"{kind}: {new.get('name', '')} {name}", new[name], old.get(name))


if __name__ == "__main__":
    main()
