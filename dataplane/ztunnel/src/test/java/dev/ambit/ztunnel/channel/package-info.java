@NullMarked
package dev.ambit.ztunnel.channel;

import org.jspecify.annotations.NullMarked;
