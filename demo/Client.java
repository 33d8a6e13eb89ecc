import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;

/** Orders one thing a second. Nothing here knows of OpenTelemetry. */
public class Client {
    /** The argument is the server's address. */
    public static void main(String[] arguments) throws InterruptedException {
        HttpClient http = HttpClient.newHttpClient();
        HttpRequest order = HttpRequest.newBuilder(URI.create(arguments[0] + "/order")).build();
        while (true) {
            try {
                System.out.println(http.send(order, BodyHandlers.ofString()).body());
            } catch (IOException failure) {
                // The server may still be starting.
                System.out.println("no answer: " + failure);
            }
            Thread.sleep(1000);
        }
    }
}
