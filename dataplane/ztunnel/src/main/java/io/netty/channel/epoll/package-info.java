/** One call that Netty's epoll transport keeps to its own package. */
@NullMarked
package io.netty.channel.epoll;

import org.jspecify.annotations.NullMarked;
