@NullMarked
package dev.ambit.agent;

import org.jspecify.annotations.NullMarked;
