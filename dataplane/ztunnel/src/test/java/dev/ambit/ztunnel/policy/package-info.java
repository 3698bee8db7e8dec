@NullMarked
package dev.ambit.ztunnel.policy;

import org.jspecify.annotations.NullMarked;
