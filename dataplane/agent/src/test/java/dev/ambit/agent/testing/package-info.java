/** What several tests need. */
@NullMarked
package dev.ambit.agent.testing;

import org.jspecify.annotations.NullMarked;
