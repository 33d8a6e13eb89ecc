// Asks for an address, as an application would. Request.dll is made of it, for .NET Core 3.1 and later.
public static class Request
{
    public static void Main(string[] arguments)
    {
        using (var client = new System.Net.Http.HttpClient())
        {
            client.GetAsync(arguments[0]).Wait();
        }
    }
}
