import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The bench's rule in Kafka Streams: exactly_once_v2, one persistent (RocksDB) store with its changelog.
 *
 * Arguments: bootstrap, prefix of topics and application, state folder, records to handle (0: until killed), threads,
 * milliseconds between commits, and "contract" or "source": the key of the records. What sources have keyed by
 * themselves goes through a topic keyed by contract first, as repartitioning does. Prints a line of JSON at a third of the records and one when all are handled and
 * committed, with milliseconds since 1970.
 */
public final class Contender {
    static final List<String> TOPICS = List.of("project.events", "erp.events", "operator.events");
    static final ObjectMapper JSON = new ObjectMapper();
    static final AtomicLong HANDLED = new AtomicLong();

    public static void main(String[] arguments) throws Exception {
        String prefix = arguments[1];
        long count = Long.parseLong(arguments[3]);
        CountDownLatch done = new CountDownLatch(1);
        KafkaStreams streams = new KafkaStreams(topology(prefix, count, done, arguments[6]), settings(arguments));
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
        done.await();
        streams.close(Duration.ofSeconds(30)); // commits what is open
        say("done");
        Runtime.getRuntime().halt(0);
    }

    static Properties settings(String[] arguments) {
        Properties p = new Properties();
        p.putAll(Map.of(
            StreamsConfig.APPLICATION_ID_CONFIG, arguments[1],
            StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0],
            StreamsConfig.STATE_DIR_CONFIG, arguments[2],
            StreamsConfig.NUM_STREAM_THREADS_CONFIG, arguments[4],
            StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, arguments[5],
            StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2,
            StreamsConfig.REPLICATION_FACTOR_CONFIG, "1",
            StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class.getName(),
            StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class.getName(),
            StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest"));
        return p;
    }

    static Topology topology(String prefix, long count, CountDownLatch done, String keyed) {
        Topology topology = new Topology();
        topology.addSource("in", TOPICS.stream().map(t -> prefix + "." + t).toArray(String[]::new));
        String home = "in";
        if (keyed.equals("source")) {
            topology.addProcessor("home", Home::new, "in");
            topology.addSink("sent home", prefix + ".by.contract", "home");
            home = "at home";
            topology.addSource(home, prefix + ".by.contract");
        }
        topology.addProcessor("rule", () -> new Rule(count, done), home);
        topology.addStateStore(Stores.keyValueStoreBuilder(
            Stores.persistentKeyValueStore("milestones"), Serdes.String(), Serdes.ByteArray()), "rule");
        topology.addSink("out", prefix + ".commands", "rule");
        return topology;
    }

    static void say(String what) {
        System.out.println("{\"" + what + "\": " + System.currentTimeMillis() + "}");
        System.out.flush();
    }

    /** One record goes where its contract is at home. */
    static final class Home implements Processor<String, byte[], String, byte[]> {
        private ProcessorContext<String, byte[]> context;

        @Override
        public void init(ProcessorContext<String, byte[]> given) {
            context = given;
        }

        @Override
        public void process(Record<String, byte[]> record) {
            try {
                context.forward(record.withKey(JSON.readTree(record.value()).get("data").get("contract").textValue()));
            } catch (java.io.IOException fault) {
                throw new java.io.UncheckedIOException(fault);
            }
        }
    }

    /** One record, one look at its milestone, at most one command. */
    static final class Rule implements Processor<String, byte[], String, byte[]> {
        private final long count;
        private final CountDownLatch done;
        private ProcessorContext<String, byte[]> context;
        private KeyValueStore<String, byte[]> store;

        Rule(long count, CountDownLatch done) {
            this.count = count;
            this.done = done;
        }

        @Override
        public void init(ProcessorContext<String, byte[]> given) {
            context = given;
            store = given.getStateStore("milestones");
        }

        @Override
        public void process(Record<String, byte[]> record) {
            try {
                handle(record);
            } catch (java.io.IOException fault) {
                throw new java.io.UncheckedIOException(fault);
            }
            long handled = HANDLED.incrementAndGet();
            if (handled == count / 3) {
                say("third");
            }
            if (handled == count) {
                done.countDown();
            }
        }

        private void handle(Record<String, byte[]> record) throws java.io.IOException {
            JsonNode event = JSON.readTree(record.value());
            JsonNode data = event.get("data");
            String milestone = data.get("milestone").textValue();
            String key = record.key() + "/" + milestone;
            Milestone known = Milestone.read(store.get(key));
            known.learn(event.get("type").textValue(), Milestone.moment(event.get("time").textValue()), data);
            long value = 100_000L * (Integer.parseInt(milestone.substring(1)) + 1);
            long allowed = known.allowed(value);
            if (allowed != known.decided) {
                known.decided = allowed;
                known.sequence++;
                String command = "{\"contract\":\"" + record.key() + "\",\"milestone\":\"" + milestone + "\",\"allowed\":"
                    + allowed + ",\"sequence\":" + known.sequence + "}";
                context.forward(record.withValue(command.getBytes(java.nio.charset.StandardCharsets.UTF_8)));
            }
            store.put(key, known.written());
        }
    }
}
