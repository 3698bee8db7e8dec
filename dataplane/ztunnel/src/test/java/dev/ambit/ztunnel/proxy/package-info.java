@NullMarked
package dev.ambit.ztunnel.proxy;

import org.jspecify.annotations.NullMarked;
