@NullMarked
package dev.ambit.ztunnel.dns;

import org.jspecify.annotations.NullMarked;
