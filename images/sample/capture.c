/*
 * What is on the wire: one line for each TCP segment that opens a connection or carries bytes.
 *
 *   SOURCE:PORT > DESTINATION:PORT INTERFACE SYN|LENGTH "printable excerpt"
 *
 * Reads packets from the kernel itself (AF_PACKET), so it needs CAP_NET_RAW and no library.
 */
#define _GNU_SOURCE
#include "capture.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define EXCERPT 200

static int wanted(int port, int count, const int *ports) {
  for (int i = 0; i < count; i++) {
    if (ports[i] == port) {
      return 1;
    }
  }
  return count == 0;
}

/* Printable bytes as they are, each run of others as one dot. */
static void write_excerpt(const unsigned char *bytes, size_t length) {
  putchar('"');
  int dotted = 0;
  for (size_t i = 0; i < length && i < EXCERPT; i++) {
    if (isprint(bytes[i]) && bytes[i] != '"') {
      putchar(bytes[i]);
      dotted = 0;
    } else if (!dotted) {
      putchar('.');
      dotted = 1;
    }
  }
  puts("\"");
}

static void show(const unsigned char *packet, size_t size, const struct sockaddr_ll *link, int count, const int *ports) {
  char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN], name[IF_NAMESIZE] = "?";
  size_t header, total;
  int family;
  if (ntohs(link->sll_protocol) == ETH_P_IP && size >= sizeof(struct iphdr)) {
    const struct iphdr *ip = (const struct iphdr *)packet;
    header = (size_t)ip->ihl * 4;
    total = ntohs(ip->tot_len);
    if (ip->protocol != IPPROTO_TCP || header < sizeof *ip) {
      return;
    }
    family = AF_INET;
    inet_ntop(AF_INET, &ip->saddr, source, sizeof source);
    inet_ntop(AF_INET, &ip->daddr, destination, sizeof destination);
  } else if (ntohs(link->sll_protocol) == ETH_P_IPV6 && size >= sizeof(struct ip6_hdr)) {
    const struct ip6_hdr *ip = (const struct ip6_hdr *)packet;
    header = sizeof *ip;
    total = header + ntohs(ip->ip6_plen);
    if (ip->ip6_nxt != IPPROTO_TCP) {
      return;
    }
    family = AF_INET6;
    inet_ntop(AF_INET6, &ip->ip6_src, source, sizeof source);
    inet_ntop(AF_INET6, &ip->ip6_dst, destination, sizeof destination);
  } else {
    return;
  }
  /* Segmentation is the hardware's: a large segment may have no length of its own. */
  if (total <= header || total > size) {
    total = size;
  }
  if (total < header + sizeof(struct tcphdr)) {
    return;
  }
  struct tcphdr tcp;
  memcpy(&tcp, packet + header, sizeof tcp);
  size_t start = header + (size_t)tcp.doff * 4;
  int from = ntohs(tcp.source), to = ntohs(tcp.dest);
  if (start > total || !(wanted(from, count, ports) || wanted(to, count, ports))) {
    return;
  }
  int opens = tcp.syn && !tcp.ack;
  if (start == total && !opens) {
    return;
  }
  if_indextoname((unsigned)link->sll_ifindex, name);
  const char *form = family == AF_INET ? "%s:%d > %s:%d %s " : "[%s]:%d > [%s]:%d %s ";
  printf(form, source, from, destination, to, name);
  if (opens) {
    puts("SYN");
  } else {
    printf("%zu ", total - start);
    write_excerpt(packet + start, total - start);
  }
}

int capture(const char *interface, int count, const int *ports) {
  int tap = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL));
  if (tap < 0) {
    fprintf(stderr, "sample: cannot capture: %s (it takes CAP_NET_RAW)\n", strerror(errno));
    return 1;
  }
  if (strcmp(interface, "any") != 0) {
    struct sockaddr_ll link = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    link.sll_ifindex = (int)if_nametoindex(interface);
    if (link.sll_ifindex == 0 || bind(tap, (struct sockaddr *)&link, sizeof link) < 0) {
      fprintf(stderr, "sample: cannot capture on %s: %s\n", interface, strerror(errno));
      return 1;
    }
  }
  int room = 8 << 20;
  setsockopt(tap, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  printf("capturing on %s\n", interface);
  static unsigned char packet[1 << 17];
  for (;;) {
    struct sockaddr_ll link;
    socklen_t size = sizeof link;
    ssize_t length = recvfrom(tap, packet, sizeof packet, 0, (struct sockaddr *)&link, &size);
    if (length < 0 && errno != EINTR && errno != ENETDOWN) {
      fprintf(stderr, "sample: cannot read packets: %s\n", strerror(errno));
      return 1;
    }
    if (length > 0) {
      show(packet, (size_t)length, &link, count, ports);
    }
  }
}
