/** Asks for an address, as an application would. Request.class is made of it: javac --release 8 -g:none. */
public class Request {
    public static void main(String[] arguments) throws Exception {
        java.net.URL address = new java.net.URL(arguments[0]);
        ((java.net.HttpURLConnection) address.openConnection()).getResponseCode();
    }
}
