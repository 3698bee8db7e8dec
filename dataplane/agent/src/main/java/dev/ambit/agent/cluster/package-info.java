/** What the API server says, and what is said to it. */
@NullMarked
package dev.ambit.agent.cluster;

import org.jspecify.annotations.NullMarked;
