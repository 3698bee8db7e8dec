@NullMarked
package dev.ambit.ztunnel.telemetry;

import org.jspecify.annotations.NullMarked;
