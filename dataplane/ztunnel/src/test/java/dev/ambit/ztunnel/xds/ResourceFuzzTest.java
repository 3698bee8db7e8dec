package dev.ambit.ztunnel.xds;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.UnknownFieldSet;
import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.workload.Address;
import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.identity.TrustDomains;
import dev.ambit.ztunnel.policy.PolicyInput;
import dev.ambit.ztunnel.policy.PolicyStore;
import dev.ambit.ztunnel.state.InvalidResourceException;
import dev.ambit.ztunnel.state.MeshStore;
import dev.ambit.ztunnel.state.MeshWorkload;
import dev.ambit.ztunnel.state.Router;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Random;
import java.util.Set;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.jspecify.annotations.Nullable;

/**
 * Whatever the control plane sends, it is taken in or refused for itself, and the rest goes on: no
 * other exception, neither when it is read nor when it is used.
 */
class ResourceFuzzTest {
  private static final int DEPTH = 5;
  private static final List<String> TEXTS =
      List.of("", "shop", "cart", "shop/cart.shop.svc.cluster.local", "*", "/", "a/b/c", "ü\u0000");
  private static final List<String> BYTES =
      List.of("", "0a000001", "0a000002", "fd000000000000000000000000000001", "0102030405");

  /** A message with fields set at random, to values that tend to meet. */
  private static void fill(Message.Builder builder, Random random, int depth) {
    for (FieldDescriptor field : builder.getDescriptorForType().getFields()) {
      boolean nested = field.getJavaType() == FieldDescriptor.JavaType.MESSAGE;
      if (random.nextInt(3) == 0 || (nested && depth == 0)) {
        continue;
      }
      if (field.isRepeated()) {
        for (int i = random.nextInt(3); i > 0; i--) {
          builder.addRepeatedField(field, value(builder, field, random, depth));
        }
      } else {
        builder.setField(field, value(builder, field, random, depth));
      }
    }
    if (random.nextInt(60) == 0) {
      builder.setUnknownFields(
          UnknownFieldSet.newBuilder()
              .addField(500, UnknownFieldSet.Field.newBuilder().addVarint(1).build())
              .build());
    }
  }

  private static Object value(
      Message.Builder builder, FieldDescriptor field, Random random, int depth) {
    return switch (field.getJavaType()) {
      case INT -> number(random);
      case LONG -> (long) number(random);
      case FLOAT -> random.nextFloat();
      case DOUBLE -> random.nextDouble();
      case BOOLEAN -> random.nextBoolean();
      case STRING -> TEXTS.get(random.nextInt(TEXTS.size()));
      case BYTE_STRING -> ByteString.fromHex(BYTES.get(random.nextInt(BYTES.size())));
      case ENUM -> enumValue(field, random);
      case MESSAGE -> {
        Message.Builder nested = builder.newBuilderForField(field);
        fill(nested, random, depth - 1);
        yield nested.build();
      }
    };
  }

  private static int number(Random random) {
    return switch (random.nextInt(4)) {
      case 0 -> random.nextInt();
      case 1 -> random.nextInt(40);
      case 2 -> 80;
      default -> 15008;
    };
  }

  private static EnumValueDescriptor enumValue(FieldDescriptor field, Random random) {
    List<EnumValueDescriptor> known = field.getEnumType().getValues();
    return random.nextInt(20) == 0
        ? field.getEnumType().findValueByNumberCreatingIfUnknown(77)
        : known.get(random.nextInt(known.size()));
  }

  private static byte[] bytes(Message.Builder builder, Random random) {
    fill(builder, random, DEPTH);
    byte[] bytes = builder.build().toByteArray();
    if (bytes.length > 0 && random.nextInt(3) == 0) {
      for (int i = random.nextInt(4); i > 0; i--) {
        bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
      }
    }
    return bytes;
  }

  private static <T> void offer(ResourceType<T> type, String name, byte[] bytes) {
    ResourceType.Batch<T> batch = type.batch();
    try {
      batch.add(name, ByteString.copyFrom(bytes));
    } catch (InvalidProtocolBufferException | InvalidResourceException refused) {
      assertThat(refused.getMessage()).isNotNull();
    }
    batch.apply(List.of());
  }

  /** Resources are called what they call themselves, so that they get beyond that check. */
  private static String nameOf(byte[] address) {
    try {
      Address read = Address.parseFrom(address);
      return read.hasWorkload()
          ? read.getWorkload().getUid()
          : read.getService().getNamespace() + "/" + read.getService().getHostname();
    } catch (InvalidProtocolBufferException e) {
      return "unreadable";
    }
  }

  @Property(tries = 600)
  void addresses(@ForAll long seed) {
    Random random = new Random(seed);
    MeshStore store = new MeshStore();
    ResourceType<?> type = MeshResources.addresses(store);
    for (int i = 0; i < 12; i++) {
      byte[] bytes = bytes(Address.newBuilder(), random);
      offer(type, nameOf(bytes), bytes);
      if (random.nextInt(6) == 0) {
        type.batch().apply(List.of(nameOf(bytes)));
      }
    }
    Router router = new Router(store, "", Set.of(15001, 15006, 15008));
    for (MeshWorkload workload : List.copyOf(store.workloads())) {
      for (String target : BYTES.subList(1, 4)) {
        InetAddress address = address(target);
        assertThat(router.route(workload, new InetSocketAddress(address, 80))).isNotNull();
        InetSocketAddress tunnel = new InetSocketAddress(address, 15008);
        for (String text : TEXTS) {
          assertThat(router.inbound(workload, tunnel, text + ":80")).isNotNull();
        }
        assertThat(router.inbound(workload, tunnel, "10.0.0.1:8080")).isNotNull();
      }
    }
  }

  private static InetAddress address(String hex) {
    try {
      return InetAddress.getByAddress(ByteString.fromHex(hex).toByteArray());
    } catch (java.net.UnknownHostException e) {
      throw new IllegalStateException(e);
    }
  }

  @Property(tries = 1500)
  void authorizations(@ForAll long seed) {
    Random random = new Random(seed);
    MeshStore mesh = new MeshStore();
    PolicyStore store = new PolicyStore(mesh, (policy, wouldDeny, input) -> {});
    ResourceType<?> type =
        MeshResources.authorizations(store, new TrustDomains(Set.of("old.example")));
    for (int i = 0; i < 4; i++) {
      byte[] bytes = bytes(Authorization.newBuilder(), random);
      offer(type, policyName(bytes), bytes);
    }
    MeshWorkload server =
        MeshWorkload.of(
            dev.ambit.ztunnel.testing.MeshFixtures.pod("shop", "cart", "10.0.0.1")
                .addAuthorizationPolicies("shop/cart")
                .build());
    for (@Nullable Identity source :
        new @Nullable Identity[] {null, new Identity("cluster.local", "shop", "cart")}) {
      PolicyInput input =
          new PolicyInput(
              server, source, address("0a000002"), new InetSocketAddress(address("0a000001"), 80));
      assertThat(store.authorize(input)).isNotNull();
      assertThat(store.reauthorize(input)).isNotNull();
    }
  }

  private static String policyName(byte[] bytes) {
    try {
      Authorization read = Authorization.parseFrom(bytes);
      return read.getNamespace() + "/" + read.getName();
    } catch (InvalidProtocolBufferException e) {
      return "unreadable";
    }
  }
}
