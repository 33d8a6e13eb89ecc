import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/** Prints what an application can see of the injection. */
public class Inside {
    public static void main(String[] arguments) throws Exception {
        System.out.println("getenv=" + System.getenv("JAVA_TOOL_OPTIONS"));
        for (String property : arguments) {
            System.out.println(property + "=" + System.getProperty(property));
        }
        byte[] environ = Files.readAllBytes(Path.of("/proc/self/environ"));
        System.out.println("environ=" + new String(environ).contains("javaagent"));
        Process child = new ProcessBuilder("sh", "-c", "env | grep -c javaagent").start();
        System.out.println("children=" + new String(child.getInputStream().readAllBytes()).trim());
        child.waitFor(10, TimeUnit.SECONDS);
        System.out.println("agent=" + isLoaded("io.opentelemetry.javaagent.OpenTelemetryAgent"));
    }

    private static boolean isLoaded(String name) {
        try {
            Class.forName(name, false, null);
            return true;
        } catch (ClassNotFoundException absent) {
            return false;
        }
    }
}
