import java.lang.instrument.Instrumentation;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;

/** Prints the options that the JVM has read, each in hexadecimal; also an agent that does nothing. */
public class Arguments {
    public static void premain(String arguments, Instrumentation instrumentation) {
    }

    public static void main(String[] arguments) {
        for (String option : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
            StringBuilder line = new StringBuilder();
            for (byte b : option.getBytes(StandardCharsets.UTF_8)) {
                line.append(String.format("%02x", b));
            }
            System.out.println(line);
        }
    }
}
