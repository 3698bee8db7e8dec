/*
 * The sample workload: a server that says which client it saw, and a client that keeps one connection open.
 *
 *   sample serve PORT... [udp:PORT]... [echo:PORT]...
 *                                             HTTP and lines on each port, datagrams on those of UDP, over IPv4 and IPv6;
 *                                             echo: datagrams that go back as they came
 *   sample get [-m METHOD] [-H HEADER]... [-i] HOST PORT PATH [TIMEOUT_S]
 *                                             one HTTP request; -i: also the answer's status and headers, whatever the status
 *   sample keep HOST PORT PATH [INTERVAL_MS] [N]
 *                                             HTTP requests on one connection, another one only where an answer asks for it
 *   sample talk HOST PORT [INTERVAL_MS] [N]   one connection; a line and its answer every interval, N times (0: for ever)
 *   sample send HOST PORT TEXT [INTERVAL_MS] [N]
 *                                             datagrams of one socket, each with its number; those without an answer are told
 *   sample echo HOST PORT FLOWS SIZE...       as many sockets at once, each with a datagram of each size in bytes that has to come
 *                                             back as it was
 *   sample lookup HOST PORT NAME              the IPv4 addresses of a name, asked of that DNS server over UDP
 *   sample network                            what a mesh has put into this network namespace (network.c)
 *
 * The server answers /status/CODE with that code, and every second request for /flaky with 503.
 *
 * Written for a static binary: no threads, a process for each connection.
 */
#define _GNU_SOURCE
#include "network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_PORTS 64
#define MAX_HEADERS 16
#define ANSWER_TIMEOUT_S 30
#define DATAGRAM_TIMEOUT_MS 1000
#define MOST_LOST_TOGETHER 20
#define LARGEST_DATAGRAM 65536
#define MOST_FLOWS 4096
#define MOST_TRIES 5
#define LARGEST_NAME 255

/* Requests for /flaky, over all processes of a server. */
static unsigned *flaky;

static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("sample: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}

/* As a container's first process we get no default signal handlers. */
static void end(int number) {
  (void)number;
  _exit(0);
}

static int port_of(const char *text) {
  char *rest;
  long port = strtol(text, &rest, 10);
  if (*text == '\0' || *rest != '\0' || port < 1 || port > 65535) {
    fail("'%s' is not a port: give a number from 1 to 65535", text);
  }
  return (int)port;
}

/* An address without port; an IPv4 client of a dual-stack socket is shown as IPv4. */
static void write_address(const struct sockaddr_storage *address, char *text, size_t size, int *port) {
  if (address->ss_family == AF_INET6) {
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
    *port = ntohs(six->sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
      inet_ntop(AF_INET, &six->sin6_addr.s6_addr[12], text, (socklen_t)size);
    } else {
      inet_ntop(AF_INET6, &six->sin6_addr, text, (socklen_t)size);
    }
  } else {
    const struct sockaddr_in *four = (const struct sockaddr_in *)address;
    *port = ntohs(four->sin_port);
    inet_ntop(AF_INET, &four->sin_addr, text, (socklen_t)size);
  }
}

static int listen_on(int port, int type) {
  int zero = 0, one = 1;
  int listener = socket(AF_INET6, type | SOCK_CLOEXEC, 0);
  if (listener >= 0) {
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (type == SOCK_STREAM) {
      setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    }
    if (bind(listener, (struct sockaddr *)&any, sizeof any) == 0 && (type == SOCK_DGRAM || listen(listener, 512) == 0)) {
      return listener;
    }
    if (errno == EADDRINUSE || errno == EACCES) {
      fail("cannot listen on port %d: %s", port, strerror(errno));
    }
    close(listener);
  }
  /* A kernel without IPv6. */
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  listener = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  if (listener < 0 ||
      (type == SOCK_STREAM && setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0) ||
      bind(listener, (struct sockaddr *)&any, sizeof any) < 0 || (type == SOCK_STREAM && listen(listener, 512) < 0)) {
    fail("cannot listen on port %d: %s", port, strerror(errno));
  }
  return listener;
}

/* Answers HTTP requests, or lines, until the client has had enough. */
static void answer(int connection) {
  struct sockaddr_storage peer, self;
  socklen_t size = sizeof peer;
  char client[INET6_ADDRSTRLEN] = "?", server[INET6_ADDRSTRLEN] = "?", host[256] = "?";
  int client_port = 0, server_port = 0, one = 1;
  if (getpeername(connection, (struct sockaddr *)&peer, &size) == 0) {
    write_address(&peer, client, sizeof client, &client_port);
  }
  size = sizeof self;
  if (getsockname(connection, (struct sockaddr *)&self, &size) == 0) {
    write_address(&self, server, sizeof server, &server_port);
  }
  gethostname(host, sizeof host - 1);
  setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);

  FILE *in = fdopen(connection, "r");
  FILE *out = fdopen(dup(connection), "w");
  if (in == NULL || out == NULL) {
    return;
  }
  char line[8192];
  while (fgets(line, sizeof line, in) != NULL) {
    char path[1024] = "";
    int minor = 0;
    if (sscanf(line, "%*15[A-Z] %1023s HTTP/1.%d", path, &minor) != 2) {
      line[strcspn(line, "\r\n")] = '\0';
      fprintf(out, "%s saw %s: %s\n", host, client, line);
      if (fflush(out) != 0) {
        return;
      }
      continue;
    }
    int keep = minor >= 1;
    long body = 0;
    char method[16] = "";
    sscanf(line, "%15[A-Z]", method);
    char text[16384];
    int length = snprintf(text, sizeof text, "client=%s\nserver=%s\nport=%d\nhost=%s\nmethod=%s\npath=%s\n", client,
                          server, server_port, host, method, path);
    while (fgets(line, sizeof line, in) != NULL && line[0] != '\r' && line[0] != '\n') {
      if (strncasecmp(line, "connection:", 11) == 0) {
        keep = strcasestr(line, "close") == NULL && (keep || strcasestr(line, "keep-alive") != NULL);
      } else if (strncasecmp(line, "content-length:", 15) == 0) {
        body = strtol(line + 15, NULL, 10);
      }
      line[strcspn(line, "\r\n")] = '\0';
      /* Headers that there is no room for are left out. */
      if (strlen(line) + sizeof "header=\n" < sizeof text - (size_t)length) {
        length += snprintf(text + length, sizeof text - (size_t)length, "header=%s\n", line);
      }
    }
    while (body-- > 0 && fgetc(in) != EOF) {
    }
    int status = 200;
    sscanf(path, "/status/%3d", &status);
    if (strcmp(path, "/flaky") == 0 && __atomic_fetch_add(flaky, 1, __ATOMIC_RELAXED) % 2 == 0) {
      status = 503;
    }
    fprintf(out, "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n", status,
            status == 200 ? "OK" : "As Asked", length, keep ? "keep-alive" : "close");
    if (strcmp(method, "HEAD") != 0) {
      fputs(text, out);
    }
    printf("%s:%d -> %s:%d %s\n", client, client_port, server, server_port, path);
    if (fflush(out) != 0 || !keep) {
      return;
    }
  }
}

/* Answers the datagram that has come. */
static void answer_datagram(int socket) {
  static char text[LARGEST_DATAGRAM], answer[LARGEST_DATAGRAM + 512];
  struct sockaddr_storage peer;
  socklen_t size = sizeof peer;
  char client[INET6_ADDRSTRLEN] = "?", host[256] = "?";
  int port = 0;
  ssize_t length = recvfrom(socket, text, sizeof text - 1, 0, (struct sockaddr *)&peer, &size);
  if (length < 0) {
    return;
  }
  text[length] = '\0';
  write_address(&peer, client, sizeof client, &port);
  gethostname(host, sizeof host - 1);
  int written = snprintf(answer, sizeof answer, "%s saw %s: %s", host, client, text);
  sendto(socket, answer, (size_t)written, 0, (struct sockaddr *)&peer, size);
  printf("%s:%d %s\n", client, port, text);
}

static void echo_datagram(int socket) {
  static char data[LARGEST_DATAGRAM];
  struct sockaddr_storage peer;
  socklen_t size = sizeof peer;
  ssize_t length = recvfrom(socket, data, sizeof data, 0, (struct sockaddr *)&peer, &size);
  if (length >= 0) {
    sendto(socket, data, (size_t)length, 0, (struct sockaddr *)&peer, size);
  }
}

/* What a port is for, by what stands before its number. */
static void (*datagrams_of(const char *port))(int) {
  return strncmp(port, "udp:", 4) == 0 ? answer_datagram : strncmp(port, "echo:", 5) == 0 ? echo_datagram : NULL;
}

static void serve(int count, char **ports) {
  struct pollfd listeners[MAX_PORTS];
  void (*datagrams[MAX_PORTS])(int) = {NULL};
  if (count > MAX_PORTS) {
    fail("at most %d ports", MAX_PORTS);
  }
  for (int i = 0; i < count; i++) {
    datagrams[i] = datagrams_of(ports[i]);
    int port = port_of(datagrams[i] == NULL ? ports[i] : strchr(ports[i], ':') + 1);
    listeners[i] = (struct pollfd){.fd = listen_on(port, datagrams[i] ? SOCK_DGRAM : SOCK_STREAM), .events = POLLIN};
    printf("listening on %s\n", ports[i]);
  }
  signal(SIGCHLD, SIG_IGN);
  flaky = mmap(NULL, sizeof *flaky, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (flaky == MAP_FAILED) {
    fail("mmap: %s", strerror(errno));
  }
  for (;;) {
    if (poll(listeners, (nfds_t)count, -1) < 0 && errno != EINTR) {
      fail("poll: %s", strerror(errno));
    }
    for (int i = 0; i < count; i++) {
      if ((listeners[i].revents & POLLIN) == 0) {
        continue;
      }
      if (datagrams[i]) {
        datagrams[i](listeners[i].fd);
        continue;
      }
      int connection = accept4(listeners[i].fd, NULL, NULL, SOCK_CLOEXEC);
      if (connection < 0) {
        continue;
      }
      pid_t child = fork();
      if (child == 0) {
        for (int other = 0; other < count; other++) {
          close(listeners[other].fd);
        }
        signal(SIGPIPE, SIG_IGN);
        answer(connection);
        _exit(0);
      }
      if (child < 0) {
        fprintf(stderr, "sample: cannot fork: %s\n", strerror(errno));
      }
      close(connection);
    }
  }
}

/* A connection to a name or an address, with limits on the waits for it and for each answer. */
static int connect_to(const char *host, const char *port, int limit_s, int type) {
  struct addrinfo hints = {.ai_socktype = type}, *addresses;
  port_of(port);
  int error = getaddrinfo(host, port, &hints, &addresses);
  if (error != 0) {
    fail("cannot resolve %s: %s", host, gai_strerror(error));
  }
  struct timeval limit = {.tv_sec = limit_s};
  int connection = -1, reason = 0, one = 1;
  for (struct addrinfo *at = addresses; at != NULL && connection < 0; at = at->ai_next) {
    connection = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, 0);
    if (connection < 0) {
      continue;
    }
    setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (type == SOCK_STREAM) {
      setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    if (connect(connection, at->ai_addr, at->ai_addrlen) < 0) {
      reason = errno == EINPROGRESS ? ETIMEDOUT : errno;
      close(connection);
      connection = -1;
    }
  }
  if (connection < 0) {
    fail("cannot connect to %s port %s: %s", host, port, strerror(reason));
  }
  freeaddrinfo(addresses);
  signal(SIGPIPE, SIG_IGN);
  return connection;
}

static const char *why_ended(void) {
  return errno == 0 ? "closed by the server" : errno == EAGAIN ? "no answer" : strerror(errno);
}

/* Sends a request with further headers, each without its line end. */
static void ask(int connection, const char *method, const char *host, const char *port, const char *path, int count,
                char **headers) {
  char text[16384];
  int length = snprintf(text, sizeof text, "%s %s HTTP/1.1\r\n", method, path);
  int named = 0;
  for (int i = 0; i < count; i++) {
    named |= strncasecmp(headers[i], "host:", 5) == 0;
  }
  if (!named && length < (int)sizeof text) {
    length += snprintf(text + length, sizeof text - (size_t)length, "Host: %s:%s\r\n", host, port);
  }
  for (int i = 0; i < count && length < (int)sizeof text; i++) {
    length += snprintf(text + length, sizeof text - (size_t)length, "%s\r\n", headers[i]);
  }
  if (length < (int)sizeof text) {
    length += snprintf(text + length, sizeof text - (size_t)length, "\r\n");
  }
  if (length >= (int)sizeof text) {
    fail("the request is too long");
  }
  if (send(connection, text, (size_t)length, MSG_NOSIGNAL) != length) {
    fail("cannot send the request: %s", strerror(errno));
  }
}

/* One request; prints the body of an answer that succeeded, or all of any answer. */
static void get(int count, char **arguments) {
  const char *method = "GET";
  char *headers[MAX_HEADERS + 1] = {"Connection: close"};
  int given = 1, all = 0, option;
  optind = 1;
  while ((option = getopt(count, arguments, "+m:H:i")) != -1) {
    if (option == 'm') {
      method = optarg;
    } else if (option == 'H' && given <= MAX_HEADERS) {
      headers[given++] = optarg;
    } else if (option == 'i') {
      all = 1;
    } else {
      fail("get: give -m METHOD, -H HEADER (at most %d) or -i, then HOST PORT PATH [TIMEOUT_S]", MAX_HEADERS);
    }
  }
  count -= optind;
  arguments += optind;
  if (count != 3 && count != 4) {
    fail("get: give HOST PORT PATH [TIMEOUT_S]");
  }
  const char *host = arguments[0], *port = arguments[1];
  int connection = connect_to(host, port, count == 4 ? atoi(arguments[3]) : 8, SOCK_STREAM);
  ask(connection, method, host, port, arguments[2], given, headers);
  char line[8192];
  FILE *in = fdopen(connection, "r");
  int status = 0, body = 0;
  errno = 0;
  if (fgets(line, sizeof line, in) == NULL) {
    fail("no answer from %s port %s: %s", host, port, why_ended());
  }
  if (sscanf(line, "HTTP/1.%*d %d", &status) != 1 || (status != 200 && !all)) {
    fail("answered %s", line);
  }
  if (all) {
    fputs(line, stdout);
  }
  while (fgets(line, sizeof line, in) != NULL) {
    if (body || all) {
      fputs(line, stdout);
    }
    body |= line[0] == '\r' || line[0] == '\n';
  }
  if (!body) {
    fail("the answer broke off: %s", why_ended());
  }
}

static void pause_for(long interval_ms) {
  struct timespec pause = {.tv_sec = interval_ms / 1000, .tv_nsec = interval_ms % 1000 * 1000000};
  nanosleep(&pause, NULL);
}

/* Requests on one connection for as long as each succeeds; where an answer announces the connection's end, on another one. */
static void keep(const char *host, const char *port, const char *path, long interval_ms, long times) {
  FILE *in = NULL;
  int connections = 0;
  for (long n = 1; times == 0 || n <= times; n++) {
    char line[8192];
    int status = 0, close_after = 0;
    long length = -1;
    if (in == NULL) {
      in = fdopen(connect_to(host, port, ANSWER_TIMEOUT_S, SOCK_STREAM), "r");
      connections++;
    }
    ask(fileno(in), "GET", host, port, path, 0, NULL);
    errno = 0;
    if (fgets(line, sizeof line, in) == NULL) {
      fail("request %ld: no answer on connection %d: %s", n, connections, why_ended());
    }
    if (sscanf(line, "HTTP/1.%*d %d", &status) != 1 || status != 200) {
      fail("request %ld: answered %s", n, line);
    }
    while (fgets(line, sizeof line, in) != NULL && line[0] != '\r' && line[0] != '\n') {
      if (strncasecmp(line, "content-length:", 15) == 0) {
        length = strtol(line + 15, NULL, 10);
      } else if (strncasecmp(line, "connection:", 11) == 0) {
        close_after = strcasestr(line, "close") != NULL;
      }
    }
    for (long at = 0; at < length; at++) {
      if (fgetc(in) == EOF) {
        fail("request %ld: the answer broke off: %s", n, why_ended());
      }
    }
    if (length < 0) {
      fail("request %ld: the answer has no length", n);
    }
    printf("request %ld on connection %d\n", n, connections);
    if (close_after) {
      fclose(in);
      in = NULL;
    }
    pause_for(interval_ms);
  }
}

static void talk(const char *host, const char *port, long interval_ms, long times) {
  int connection = connect_to(host, port, ANSWER_TIMEOUT_S, SOCK_STREAM);
  FILE *in = fdopen(connection, "r");
  printf("connected to %s port %s\n", host, port);
  for (long n = 1; times == 0 || n <= times; n++) {
    char line[8192];
    int length = snprintf(line, sizeof line, "line %ld\n", n);
    if (send(connection, line, (size_t)length, MSG_NOSIGNAL) != length) {
      fail("broken at line %ld: cannot send: %s", n, strerror(errno));
    }
    errno = 0;
    if (fgets(line, sizeof line, in) == NULL) {
      fail("broken at line %ld: %s", n, why_ended());
    }
    fputs(line, stdout);
    pause_for(interval_ms);
  }
}

/* Waits for the answer to one datagram, past those to earlier ones; 0 where it does not come. */
static int answered(int socket, const char *text, char *answer, size_t size) {
  for (;;) {
    struct pollfd in = {.fd = socket, .events = POLLIN};
    errno = 0;
    if (poll(&in, 1, DATAGRAM_TIMEOUT_MS) <= 0) {
      return 0;
    }
    ssize_t length = recv(socket, answer, size - 1, 0);
    if (length < 0) {
      return 0;
    }
    answer[length] = '\0';
    size_t of = strlen(text);
    if ((size_t)length >= of && strcmp(answer + length - of, text) == 0) {
      return 1;
    }
  }
}

static void send_datagrams(const char *host, const char *port, const char *text, long interval_ms, long times) {
  int socket = connect_to(host, port, ANSWER_TIMEOUT_S, SOCK_DGRAM), lost = 0;
  for (long n = 1; times == 0 || n <= times; n++) {
    char line[2048], answer[4096];
    int length = snprintf(line, sizeof line, "%s %ld", text, n);
    if (length >= (int)sizeof line) {
      fail("the text is too long");
    }
    errno = 0;
    if (send(socket, line, (size_t)length, MSG_NOSIGNAL) == length && answered(socket, line, answer, sizeof answer)) {
      printf("%s\n", answer);
      lost = 0;
    } else {
      printf("lost %s: %s\n", line, errno == 0 ? "no answer" : strerror(errno));
      if (++lost == MOST_LOST_TOGETHER || n == times) {
        fail("no answer to the last %d datagrams", lost);
      }
    }
    pause_for(interval_ms);
  }
}

/* Bytes that differ from flow to flow, and within a datagram. */
static void fill(char *data, size_t length, int flow, int size) {
  for (size_t i = 0; i < length; i++) {
    data[i] = (char)(i * 31 + (size_t)flow * 7 + (size_t)size + (i >> 8));
  }
}

/* Whether what waits at the socket is what that flow sent; answers to a try before are the same. */
static int came_back(int socket, int flow, int size) {
  static char expected[LARGEST_DATAGRAM], data[LARGEST_DATAGRAM];
  ssize_t length = recv(socket, data, sizeof data, MSG_DONTWAIT);
  if (length < 0) {
    return 0;
  }
  fill(expected, (size_t)size, flow, size);
  if (length != size || memcmp(data, expected, (size_t)size) != 0) {
    fail("flow %d: a datagram of %d bytes came back as another one, of %zd", flow, size, length);
  }
  return 1;
}

/* What is late or was dropped is sent again, as whoever sends datagrams has to. */
static void echo(const char *host, const char *port, int flows, int size) {
  static char data[LARGEST_DATAGRAM];
  static struct pollfd sockets[MOST_FLOWS];
  static char back[MOST_FLOWS];
  int open = 0, missing = flows;
  for (; open < flows; open++) {
    sockets[open] = (struct pollfd){.fd = connect_to(host, port, ANSWER_TIMEOUT_S, SOCK_DGRAM), .events = POLLIN};
    back[open] = 0;
  }
  for (int attempt = 0; attempt < MOST_TRIES && missing > 0; attempt++) {
    for (int i = 0; i < flows; i++) {
      fill(data, (size_t)size, i, size);
      if (!back[i] && send(sockets[i].fd, data, (size_t)size, MSG_NOSIGNAL) != size) {
        fail("flow %d: cannot send %d bytes: %s", i, size, strerror(errno));
      }
    }
    while (missing > 0 && poll(sockets, (nfds_t)flows, DATAGRAM_TIMEOUT_MS) > 0) {
      for (int i = 0; i < flows; i++) {
        if (sockets[i].revents != 0 && came_back(sockets[i].fd, i, size) && !back[i]) {
          back[i] = 1;
          missing--;
        }
      }
    }
  }
  for (int i = 0; i < flows; i++) {
    close(sockets[i].fd);
  }
  if (missing > 0) {
    fail("%d of %d datagrams of %d bytes did not come back", missing, flows, size);
  }
  printf("%d of %d bytes came back\n", flows, size);
}

static void echo_all(const char *host, const char *port, const char *flows, int count, char **sizes) {
  int number = atoi(flows);
  if (number < 1 || number > MOST_FLOWS) {
    fail("'%s' flows: give from 1 to %d", flows, MOST_FLOWS);
  }
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  for (int i = 0; i < count; i++) {
    int size = atoi(sizes[i]);
    if (size < 0 || size >= LARGEST_DATAGRAM) {
      fail("'%s' bytes: give less than %d", sizes[i], LARGEST_DATAGRAM);
    }
    echo(host, port, number, size);
  }
}

/* The question for a name's IPv4 addresses, as RFC 1035 has it. */
static size_t question_for(const char *name, unsigned char *question) {
  static const unsigned char head[] = {0x5a, 0x17, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  static const unsigned char tail[] = {0, 0, 1, 0, 1};
  memcpy(question, head, sizeof head);
  size_t at = sizeof head;
  if (strlen(name) > LARGEST_NAME - 2) {
    fail("the name is too long");
  }
  for (const char *label = name; *label != '\0';) {
    size_t length = strcspn(label, ".");
    if (length == 0 || length > 63) {
      fail("'%s' is not a name", name);
    }
    question[at++] = (unsigned char)length;
    memcpy(question + at, label, length);
    at += length;
    label += length + (label[length] == '.');
  }
  memcpy(question + at, tail, sizeof tail);
  return at + sizeof tail;
}

static size_t past_name(const unsigned char *answer, size_t at, size_t length) {
  while (at < length && answer[at] != 0 && answer[at] < 0xc0) {
    at += 1 + (size_t)answer[at];
  }
  return at + (at < length && answer[at] >= 0xc0 ? 2 : 1);
}

static void lookup(const char *host, const char *port, const char *name) {
  unsigned char question[512], answer[4096];
  size_t asked = question_for(name, question);
  int socket = connect_to(host, port, ANSWER_TIMEOUT_S, SOCK_DGRAM);
  ssize_t received = -1;
  for (int attempt = 0; attempt < MOST_TRIES && received < 0; attempt++) {
    struct pollfd in = {.fd = socket, .events = POLLIN};
    if (send(socket, question, asked, MSG_NOSIGNAL) == (ssize_t)asked && poll(&in, 1, DATAGRAM_TIMEOUT_MS) > 0) {
      received = recv(socket, answer, sizeof answer, 0);
    }
  }
  if (received < 12 || answer[0] != question[0] || answer[1] != question[1]) {
    fail("no answer from %s port %s", host, port);
  }
  size_t length = (size_t)received, at = past_name(answer, 12, length) + 4;
  int records = answer[6] << 8 | answer[7];
  if ((answer[3] & 15) != 0 || records == 0) {
    fail("answered code %d and %d records", answer[3] & 15, records);
  }
  for (; records > 0; records--) {
    at = past_name(answer, at, length);
    if (at + 10 > length) {
      fail("the answer is broken off");
    }
    size_t data = (size_t)(answer[at + 8] << 8 | answer[at + 9]);
    if (answer[at + 1] == 1 && data == 4 && at + 10 + data <= length) {
      printf("%d.%d.%d.%d\n", answer[at + 10], answer[at + 11], answer[at + 12], answer[at + 13]);
    }
    at += 10 + data;
  }
}

int main(int count, char **arguments) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGTERM, end);
  signal(SIGINT, end);
  if (count >= 3 && strcmp(arguments[1], "serve") == 0) {
    serve(count - 2, arguments + 2);
  } else if (count >= 4 && count <= 6 && strcmp(arguments[1], "talk") == 0) {
    talk(arguments[2], arguments[3], count > 4 ? strtol(arguments[4], NULL, 10) : 1000,
         count > 5 ? strtol(arguments[5], NULL, 10) : 0);
  } else if (count >= 5 && strcmp(arguments[1], "get") == 0) {
    get(count - 1, arguments + 1);
  } else if (count >= 5 && count <= 7 && strcmp(arguments[1], "keep") == 0) {
    keep(arguments[2], arguments[3], arguments[4], count > 5 ? strtol(arguments[5], NULL, 10) : 100,
         count > 6 ? strtol(arguments[6], NULL, 10) : 0);
  } else if (count >= 5 && count <= 7 && strcmp(arguments[1], "send") == 0) {
    send_datagrams(arguments[2], arguments[3], arguments[4], count > 5 ? strtol(arguments[5], NULL, 10) : 1000,
                   count > 6 ? strtol(arguments[6], NULL, 10) : 0);
  } else if (count >= 6 && strcmp(arguments[1], "echo") == 0) {
    echo_all(arguments[2], arguments[3], arguments[4], count - 5, arguments + 5);
  } else if (count == 5 && strcmp(arguments[1], "lookup") == 0) {
    lookup(arguments[2], arguments[3], arguments[4]);
  } else if (count == 2 && strcmp(arguments[1], "network") == 0) {
    return network();
  } else {
    fputs("usage: sample serve PORT... [udp:PORT]... [echo:PORT]... | get [-m METHOD] [-H HEADER]... [-i] HOST PORT PATH [TIMEOUT_S] |\n"
          "       keep HOST PORT PATH [INTERVAL_MS] [TIMES] | talk HOST PORT [INTERVAL_MS] [TIMES] |\n"
          "       send HOST PORT TEXT [INTERVAL_MS] [TIMES] | echo HOST PORT FLOWS SIZE... | lookup HOST PORT NAME | network\n",
          stderr);
    return 2;
  }
  return 0;
}
