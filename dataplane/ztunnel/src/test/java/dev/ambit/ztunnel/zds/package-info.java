@NullMarked
package dev.ambit.ztunnel.zds;

import org.jspecify.annotations.NullMarked;
