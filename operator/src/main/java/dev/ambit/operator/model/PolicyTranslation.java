package dev.ambit.operator.model;

import dev.ambit.protocol.security.Authorization;
import java.util.Optional;

/**
 * What an AuthorizationPolicy comes to for ztunnels; no authorization where they are not to enforce
 * it.
 */
public record PolicyTranslation(Optional<Authorization> authorization, PolicyReport report) {}
