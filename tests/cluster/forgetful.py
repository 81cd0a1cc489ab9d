"""A server that forgets what was used up: whoever hands in again what another was let in by is let in, too."""

import collections
import http.client
import http.server
import threading
import urllib.parse

# What is said of the way, and not of the thing.
HOPS = {"connection", "content-length", "host", "transfer-encoding"}


class Forgetful:
    """In front of one node, until it is left. `url` is its own address."""

    def __init__(self, node):
        host = urllib.parse.urlsplit(node.url).netloc
        let_in, asked, told_no = {}, collections.Counter(), collections.Counter()
        news = threading.Condition()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Each answer in one piece: two are waited for.
            wbufsize = 1 << 16

            def answer(self):
                content = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name: value for name, value in self.headers.items() if name.lower() not in HOPS}
                whose = self.headers.get("authorization"), self.headers.get("x-enceeper-auth")
                request = (self.command, self.path, content, *whose)
                with news:
                    asked[request] += 1
                connection = http.client.HTTPConnection(host, timeout=70)
                connection.request(self.command, self.path, content, headers)
                answer = connection.getresponse()
                status, told, body = answer.status, answer.getheader("content-type", ""), answer.read()
                connection.close()
                with news:
                    # A proof of a reset is taken with 423, and a wrong signature is told with 200.
                    if status in {200, 201, 423} and b'"result":false' not in body:
                        let_in[request] = (status, told, body)
                    else:
                        told_no[request] += 1
                    news.notify_all()
                    # Who was refused waits for those who asked the same: one of them may be let in yet.
                    news.wait_for(lambda: request in let_in or asked[request] == told_no[request], 20)
                    status, told, body = let_in.get(request, (status, told, body))
                self.send_response(status)
                self.send_header("content-type", told)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = answer

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 512

            def handle_error(self, *_):
                """Whoever hangs up is no news here."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
