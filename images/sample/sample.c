/*
 * The sample workload: a server that says which client it saw, and a client that keeps one connection open.
 *
 *   sample serve PORT...                      HTTP and lines on each port, over IPv4 and IPv6
 *   sample get HOST PORT PATH [TIMEOUT_S]     one HTTP request
 *   sample talk HOST PORT [INTERVAL_MS] [N]   one connection; a line and its answer every interval, N times (0: for ever)
 *   sample network                            what a mesh has put into this network namespace (network.c)
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
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_PORTS 64
#define ANSWER_TIMEOUT_S 30

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

static int listen_on(int port) {
  int zero = 0, one = 1;
  int listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener >= 0) {
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&any, sizeof any) == 0 && listen(listener, 512) == 0) {
      return listener;
    }
    if (errno == EADDRINUSE || errno == EACCES) {
      fail("cannot listen on port %d: %s", port, strerror(errno));
    }
    close(listener);
  }
  /* A kernel without IPv6. */
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
      bind(listener, (struct sockaddr *)&any, sizeof any) < 0 || listen(listener, 512) < 0) {
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
    while (fgets(line, sizeof line, in) != NULL && line[0] != '\r' && line[0] != '\n') {
      if (strncasecmp(line, "connection:", 11) == 0) {
        keep = strcasestr(line, "close") == NULL && (keep || strcasestr(line, "keep-alive") != NULL);
      } else if (strncasecmp(line, "content-length:", 15) == 0) {
        body = strtol(line + 15, NULL, 10);
      }
    }
    while (body-- > 0 && fgetc(in) != EOF) {
    }
    char text[2048];
    int length = snprintf(text, sizeof text, "client=%s\nserver=%s\nport=%d\nhost=%s\npath=%s\n", client, server,
                          server_port, host, path);
    if (length >= (int)sizeof text) {
      length = (int)sizeof text - 1;
    }
    fprintf(out, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n%s",
            length, keep ? "keep-alive" : "close", text);
    printf("%s:%d -> %s:%d %s\n", client, client_port, server, server_port, path);
    if (fflush(out) != 0 || !keep) {
      return;
    }
  }
}

static void serve(int count, char **ports) {
  struct pollfd listeners[MAX_PORTS];
  if (count > MAX_PORTS) {
    fail("at most %d ports", MAX_PORTS);
  }
  for (int i = 0; i < count; i++) {
    listeners[i] = (struct pollfd){.fd = listen_on(port_of(ports[i])), .events = POLLIN};
    printf("listening on %s\n", ports[i]);
  }
  signal(SIGCHLD, SIG_IGN);
  for (;;) {
    if (poll(listeners, (nfds_t)count, -1) < 0 && errno != EINTR) {
      fail("poll: %s", strerror(errno));
    }
    for (int i = 0; i < count; i++) {
      if ((listeners[i].revents & POLLIN) == 0) {
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
static int connect_to(const char *host, const char *port, int limit_s) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *addresses;
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
    setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
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

/* One request; prints the body of an answer that succeeded. */
static void get(const char *host, const char *port, const char *path, int limit_s) {
  int connection = connect_to(host, port, limit_s);
  char line[8192];
  int length = snprintf(line, sizeof line, "GET %s HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\n\r\n", path, host, port);
  if (length >= (int)sizeof line || send(connection, line, (size_t)length, MSG_NOSIGNAL) != length) {
    fail("cannot send the request: %s", strerror(errno));
  }
  FILE *in = fdopen(connection, "r");
  int status = 0, body = 0;
  errno = 0;
  if (fgets(line, sizeof line, in) == NULL) {
    fail("no answer from %s port %s: %s", host, port, why_ended());
  }
  if (sscanf(line, "HTTP/1.%*d %d", &status) != 1 || status != 200) {
    fail("answered %s", line);
  }
  while (fgets(line, sizeof line, in) != NULL) {
    if (body) {
      fputs(line, stdout);
    } else {
      body = line[0] == '\r' || line[0] == '\n';
    }
  }
  if (!body) {
    fail("the answer broke off: %s", why_ended());
  }
}

static void talk(const char *host, const char *port, long interval_ms, long times) {
  int connection = connect_to(host, port, ANSWER_TIMEOUT_S);
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
    struct timespec pause = {.tv_sec = interval_ms / 1000, .tv_nsec = interval_ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
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
  } else if ((count == 5 || count == 6) && strcmp(arguments[1], "get") == 0) {
    get(arguments[2], arguments[3], arguments[4], count > 5 ? atoi(arguments[5]) : 8);
  } else if (count == 2 && strcmp(arguments[1], "network") == 0) {
    return network();
  } else {
    fputs("usage: sample serve PORT... | get HOST PORT PATH [TIMEOUT_S] | talk HOST PORT [INTERVAL_MS] [TIMES] | network\n",
          stderr);
    return 2;
  }
  return 0;
}
