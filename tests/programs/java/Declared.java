import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

/** Sends a request, so that there is a span, and counts what a child inherits. */
public class Declared {
    public static void main(String[] arguments) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[0])).build();
        HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.discarding());
        String[] command = {"sh", "-c", "env | grep -cE '^OTEL_|_ADDED='"};
        Process child = new ProcessBuilder(command).start();
        System.out.println("children=" + new String(child.getInputStream().readAllBytes()).trim());
    }
}
