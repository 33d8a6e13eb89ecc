import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Executors;

/**
 * Sells things: {@code /order} first asks for {@code /stock}, so that one order is a trace of several
 * spans. Nothing here knows of OpenTelemetry.
 */
public class Server {
    private static final HttpClient HTTP = HttpClient.newHttpClient();

    /**
     * The arguments are the port to listen on, where 0 takes a free one, and the address of the stock,
     * which without one is here.
     */
    public static void main(String[] arguments) throws IOException {
        int port = Integer.parseInt(arguments[0]);
        HttpServer server = HttpServer.create(new InetSocketAddress(port), 0);
        String address = "http://localhost:" + server.getAddress().getPort();
        String stock = arguments.length > 1 ? arguments[1] : address;
        server.createContext("/order", exchange -> answer(exchange, "sold, " + ask(stock + "/stock")));
        server.createContext("/stock", exchange -> answer(exchange, "41 left"));
        // The request for /stock comes while /order is being answered.
        server.setExecutor(Executors.newCachedThreadPool());
        server.start();
        System.out.println("listening on " + address);
    }

    private static String ask(String address) throws IOException {
        try {
            return HTTP.send(HttpRequest.newBuilder(URI.create(address)).build(), BodyHandlers.ofString()).body();
        } catch (InterruptedException interruption) {
            throw new IOException(interruption);
        }
    }

    private static void answer(HttpExchange exchange, String text) throws IOException {
        byte[] body = text.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(200, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }
}
