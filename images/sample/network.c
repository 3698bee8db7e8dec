/*
 * What a mesh has put into this network namespace: a line for each nftables table, for each routing rule that is not the
 * kernel's own, and for each listener on one of the mesh's ports. An untouched namespace gives no line.
 *
 * Asks the kernel over netlink; listing tables takes CAP_NET_ADMIN.
 */
#define _GNU_SOURCE
#include "network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef void handler(const struct nlmsghdr *message);

static const char *family_name(int family) {
  switch (family) {
  case NFPROTO_INET:
    return "inet";
  case NFPROTO_IPV4:
    return "ip";
  case NFPROTO_IPV6:
    return "ip6";
  default:
    return "other";
  }
}

static const void *attribute(const void *first, size_t size, int type, size_t *length) {
  for (const struct nlattr *at = first; size >= sizeof *at && at->nla_len >= sizeof *at && at->nla_len <= size;) {
    if ((at->nla_type & NLA_TYPE_MASK) == type) {
      *length = at->nla_len - NLA_HDRLEN;
      return (const char *)at + NLA_HDRLEN;
    }
    size_t step = NLA_ALIGN(at->nla_len);
    if (step > size) {
      break;
    }
    size -= step;
    at = (const struct nlattr *)((const char *)at + step);
  }
  return NULL;
}

static void table(const struct nlmsghdr *message) {
  const struct nfgenmsg *header = NLMSG_DATA(message);
  size_t length;
  const char *name = attribute((const char *)header + NLMSG_ALIGN(sizeof *header),
                               message->nlmsg_len - NLMSG_LENGTH(NLMSG_ALIGN(sizeof *header)), NFTA_TABLE_NAME, &length);
  printf("table %s %s\n", family_name(header->nfgen_family), name == NULL ? "?" : name);
}

static void rule(const struct nlmsghdr *message) {
  const struct fib_rule_hdr *header = NLMSG_DATA(message);
  const char *first = (const char *)header + NLMSG_ALIGN(sizeof *header);
  size_t size = message->nlmsg_len - NLMSG_LENGTH(NLMSG_ALIGN(sizeof *header)), length;
  unsigned priority = 0, to = header->table;
  const void *value = attribute(first, size, FRA_PRIORITY, &length);
  if (value != NULL && length == sizeof priority) {
    memcpy(&priority, value, sizeof priority);
  }
  value = attribute(first, size, FRA_TABLE, &length);
  if (value != NULL && length == sizeof to) {
    memcpy(&to, value, sizeof to);
  }
  if (priority != 0 && priority < 32766) {
    printf("rule %s %u lookup %u\n", header->family == AF_INET ? "ip" : "ip6", priority, to);
  }
}

/* Sends a dump request and hands on each answer. */
static int dump(int protocol, int type, const void *body, size_t size, handler *each) {
  struct {
    struct nlmsghdr header;
    char body[64];
  } request = {.header = {.nlmsg_len = NLMSG_LENGTH(size), .nlmsg_type = (unsigned short)type, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
  memcpy(request.body, body, size);
  int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (netlink < 0 || send(netlink, &request, request.header.nlmsg_len, 0) < 0) {
    fprintf(stderr, "sample: cannot ask the kernel: %s\n", strerror(errno));
    return 1;
  }
  static char answer[1 << 16];
  for (;;) {
    ssize_t length = recv(netlink, answer, sizeof answer, 0);
    if (length < 0) {
      fprintf(stderr, "sample: cannot read the kernel's answer: %s\n", strerror(errno));
      return 1;
    }
    size_t left = (size_t)length;
    for (const struct nlmsghdr *at = (const struct nlmsghdr *)answer; NLMSG_OK(at, left); at = NLMSG_NEXT(at, left)) {
      if (at->nlmsg_type == NLMSG_DONE) {
        close(netlink);
        return 0;
      }
      if (at->nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *error = NLMSG_DATA(at);
        close(netlink);
        fprintf(stderr, "sample: the kernel says: %s\n", strerror(-error->error));
        return 1;
      }
      each(at);
    }
  }
}

static void listeners(const char *path) {
  FILE *sockets = fopen(path, "r");
  char line[512];
  while (sockets != NULL && fgets(line, sizeof line, sockets) != NULL) {
    unsigned port, state;
    if (sscanf(line, " %*d: %*[0-9A-F]:%X %*[0-9A-F]:%*X %X", &port, &state) == 2 && state == 0x0A &&
        (port == 15001 || port == 15006 || port == 15008 || port == 15053)) {
      printf("listener %u\n", port);
    }
  }
  if (sockets != NULL) {
    fclose(sockets);
  }
}

int network(void) {
  struct nfgenmsg all_tables = {.nfgen_family = NFPROTO_UNSPEC, .version = NFNETLINK_V0};
  struct fib_rule_hdr four = {.family = AF_INET}, six = {.family = AF_INET6};
  int failed = dump(NETLINK_NETFILTER, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, &all_tables, sizeof all_tables, table);
  failed |= dump(NETLINK_ROUTE, RTM_GETRULE, &four, sizeof four, rule);
  failed |= dump(NETLINK_ROUTE, RTM_GETRULE, &six, sizeof six, rule);
  listeners("/proc/net/tcp");
  listeners("/proc/net/tcp6");
  return failed;
}
