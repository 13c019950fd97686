"""Requests to a page's server: what it answers, and what it refuses. serve_requests.py URL training|draw

Prints one line a fault and exits with 1, or prints how many requests were as expected.
"""
import http.client
import json
import socket
import sys
import threading
import time
from urllib.parse import urlsplit

PLACE = urlsplit(sys.argv[1])
HERE = PLACE.netloc
IMAGE = bytes(784)
BINARY = {"Content-Type": "application/octet-stream"}
faults = []
count = 0


def check(what, ok, got=""):
    global count
    count += 1
    if not ok:
        faults.append(f"{what}: got {got}")


def ask(method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(PLACE.hostname, PLACE.port, timeout=30)
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response, text


def refused(what, status, part, *request):
    response, text = ask(*request)
    check(what, response.status == status and part in text.decode(), f"{response.status} {text[:80]}")


def raw(*pieces, pause=0.0):
    """Sends bytes as they are and gives the whole answer, b"" for a connection closed without one."""
    with socket.create_connection((PLACE.hostname, PLACE.port), timeout=30) as connection:
        answer = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause)
            while part := connection.recv(65536):
                answer += part
        except (BrokenPipeError, ConnectionResetError):
            pass
        return answer


def check_page():
    response, text = ask("GET", "/")
    check("the page", response.status == 200 and b"<!doctype html>" in text and b"</html>" in text, response.status)
    check("no resource from elsewhere", not any(s in text for s in (b'src="', b"@import", b'rel="stylesheet"')), "one")
    policy = response.headers["Content-Security-Policy"]
    check("the page's policy", "default-src 'none'" in policy and "'unsafe" not in policy, policy)
    for header in ("X-Content-Type-Options", "Cache-Control", "Referrer-Policy", "Cross-Origin-Resource-Policy"):
        check(header, response.headers[header], response.headers)
    check("no permission for other pages", response.headers["Access-Control-Allow-Origin"] is None, "one")


def check_answers(training):
    info = json.loads(ask("GET", "/api/info")[1])
    check("info", info["training"] is training and len(info["examples"]) == 10 and info["parameters"] > 0, info)
    check("augmentation only while training", (info["augmentation"] is not None) == training, info["augmentation"])
    response, text = ask("POST", "/api/predict", IMAGE, BINARY)
    answer = json.loads(text)
    check("probabilities", abs(sum(answer["probabilities"]) - 1) < 1e-5, answer["probabilities"])
    check("layers", len(answer["layers"]) >= 4, len(answer["layers"]))
    check("an answer is not compressed", response.headers["Content-Encoding"] is None, response.headers)
    check("an answer with its own origin", ask("POST", "/api/predict", IMAGE, {**BINARY, "Origin": f"http://{HERE}"})[0].status == 200)


def check_refusals():
    refused("another host", 403, "Host", "GET", "/", None, {"Host": "evil.example"})
    refused("another host that looks alike", 403, "Host", "GET", "/api/info", None, {"Host": f"127.0.0.1.evil.example:{PLACE.port}"})
    check("no host", b" 403 " in raw(b"GET / HTTP/1.1\r\n\r\n").split(b"\r\n")[0])
    refused("another origin", 403, "Origin", "POST", "/api/predict", IMAGE, {**BINARY, "Origin": "http://evil.example"})
    refused("no origin to speak of", 403, "Origin", "POST", "/api/predict", IMAGE, {**BINARY, "Origin": "null"})
    refused("another origin's events", 403, "Origin", "GET", "/api/events", None, {"Origin": "http://evil.example"})
    refused("a form of another page", 415, "Content-Type", "POST", "/api/predict", IMAGE, {"Content-Type": "text/plain"})
    refused("a compressed body", 415, "Content-Type", "POST", "/api/predict", IMAGE, {**BINARY, "Content-Encoding": "gzip"})
    refused("one pixel short", 400, "got 783 bytes, expected 784", "POST", "/api/predict", IMAGE[1:], BINARY)
    refused("no pixels", 400, "got 0 bytes", "POST", "/api/predict", b"", BINARY)
    refused("one pixel too many", 413, "784", "POST", "/api/predict", IMAGE + b"x", BINARY)
    refused("no such place", 404, "/", "GET", "/etc/passwd")
    refused("no such method", 405, "Method", "DELETE", "/")
    refused("predict without pixels", 404, "/", "GET", "/api/predict")


def check_bounds():
    host = f"Host: {HERE}\r\n".encode()
    post = b"POST /api/predict HTTP/1.1\r\n" + host + b"Content-Type: application/octet-stream\r\n"
    large = b"x" * 1_000_000

    def not_served(what, answer):
        check(what, b" 200 " not in answer[:16], answer[:60])

    not_served("a large body", raw(post + b"Content-Length: 1000000\r\n\r\n" + large))
    not_served("a large body in chunks", raw(post + b"Transfer-Encoding: chunked\r\n\r\nf4240\r\n" + large))
    not_served("an absurd length", raw(post + b"Content-Length: 99999999999999999999\r\n\r\n"))
    not_served("a negative length", raw(post + b"Content-Length: -1\r\n\r\n"))
    not_served("an endless header", raw(b"GET / HTTP/1.1\r\n" + host + b"X: " + large))
    not_served("endless headers", raw(b"GET / HTTP/1.1\r\n" + host + b"X: y\r\n" * 100_000 + b"\r\n"))
    not_served("a long path", raw(b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\n" + host + b"\r\n"))
    not_served("no HTTP at all", raw(b"\x16\x03\x01\x02\x00\x01\x00\x01" * 100 + b"\r\n\r\n"))
    started = time.monotonic()
    not_served("a request that never ends", raw(*[b"G"] * 28, pause=0.25))
    # 5 seconds are allowed; each byte would start them anew if they were counted from the last one.
    check("a slow request is given up", time.monotonic() - started < 30, time.monotonic() - started)
    idle = [socket.create_connection((PLACE.hostname, PLACE.port)) for _ in range(30)]
    check("an answer beside many idle connections", ask("GET", "/api/info")[0].status == 200)
    for connection in idle:
        connection.close()


def check_rate():
    """Twice as many questions as there may be at once: some are told to come again, and later one is answered."""
    statuses = []

    def questions():
        for _ in range(100):
            response, _ = ask("POST", "/api/predict", IMAGE, BINARY)
            statuses.append((response.status, response.headers["Retry-After"]))

    threads = [threading.Thread(target=questions) for _ in range(8)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - started
    answered = sum(status == 200 for status, _ in statuses)
    check("nothing but 200 and 429", all(status in (200, 429) for status, _ in statuses), statuses)
    check("no more answers than the rate allows", answered <= 240 + 120 * seconds + 1, f"{answered} in {seconds:.2f} s")
    if 800 > 240 + 120 * seconds:
        check("too many questions are refused", any(s == (429, "1") for s in statuses), statuses[:5])
    time.sleep(1)
    check("an answer a second later", ask("POST", "/api/predict", IMAGE, BINARY)[0].status == 200)


def check_events(training):
    if not training:
        refused("no events without a training", 404, "/", "GET", "/api/events")
        return
    readers = []
    for _ in range(8):
        connection = http.client.HTTPConnection(PLACE.hostname, PLACE.port, timeout=30)
        connection.request("GET", "/api/events", headers={"Accept-Encoding": "gzip, br"})
        readers.append((connection, connection.getresponse()))
    kind = readers[0][1].headers
    check("events", kind["Content-Type"] == "text/event-stream" and kind["Content-Encoding"] is None, kind)
    line = readers[0][1].readline()
    check("the state at once", line.startswith(b"data: {") and "phase" in json.loads(line[6:]), line[:80])
    refused("a ninth reader", 503, "Too many", "GET", "/api/events")
    check("an answer beside them", ask("POST", "/api/predict", IMAGE, BINARY)[0].status == 200)
    for connection, response in readers:
        response.close()
        connection.close()
    # The server finds out when it next writes, every 5 seconds.
    for _ in range(200):
        response, _ = ask("GET", "/api/info")
        connection = http.client.HTTPConnection(PLACE.hostname, PLACE.port, timeout=30)
        connection.request("GET", "/api/events")
        status = connection.getresponse().status
        connection.close()
        if status == 200:
            break
        time.sleep(0.1)
    check("a place that was left is free again", status == 200, status)


training = sys.argv[2] == "training"
check_page()
check_answers(training)
check_refusals()
check_events(training)
if not training:
    check_bounds()
    check_rate()
for fault in faults:
    print(f"FAILED: {fault}")
print(f"{count - len(faults)} of {count} requests were as expected")
sys.exit(bool(faults))
