// A stand-in for the automatic instrumentation: a startup hook that sends one span by OTLP (HTTP,
// protobuf), with the resource that the settings of its process say.
using System;
using System.Collections.Generic;
using System.IO;
using System.Net;
using System.Net.Sockets;
using System.Text;

internal class StartupHook
{
    // The CLR aborts on an exception here.
    public static void Initialize()
    {
        try
        {
            Send(Request());
        }
        // A collector that is not there or does not answer: the application hears nothing of it.
        catch (AggregateException)
        {
        }
        catch (IOException)
        {
        }
        catch (Exception problem)
        {
            Console.Error.WriteLine("StartupHook: " + problem.Message);
        }
    }

    private static string Setting(string name)
    {
        return Environment.GetEnvironmentVariable(name) ?? "";
    }

    // opentelemetry/proto/collector/trace/v1/trace_service.proto
    private static byte[] Request()
    {
        var resource = new List<byte>();
        foreach (var attribute in Attributes())
        {
            Field(resource, 1, Attribute(attribute.Key, attribute.Value));
        }
        var span = new List<byte>();
        Field(span, 1, Guid.NewGuid().ToByteArray());
        Field(span, 2, new ArraySegment<byte>(Guid.NewGuid().ToByteArray(), 0, 8));
        Field(span, 5, Encoding.UTF8.GetBytes("startup"));
        span.Add(6 << 3);
        span.Add(1);
        long now = (DateTime.UtcNow.Ticks - new DateTime(1970, 1, 1).Ticks) * 100;
        foreach (byte tag in new byte[] { 7 << 3 | 1, 8 << 3 | 1 })
        {
            span.Add(tag);
            span.AddRange(BitConverter.GetBytes(now));
        }
        Field(span, 9, Attribute("home", Setting("OTEL_DOTNET_AUTO_HOME")));
        Field(span, 9, Attribute("profiler", Setting("CORECLR_PROFILER_PATH")));
        return Within(1, Both(Within(1, resource), Within(2, Within(2, span)))).ToArray();
    }

    private static Dictionary<string, string> Attributes()
    {
        var attributes = new Dictionary<string, string>();
        foreach (string item in Setting("OTEL_RESOURCE_ATTRIBUTES").Split(','))
        {
            string[] pair = item.Split('=');
            if (pair.Length == 2)
            {
                attributes[pair[0]] = Uri.UnescapeDataString(pair[1]);
            }
        }
        if (Setting("OTEL_SERVICE_NAME") != "")
        {
            attributes["service.name"] = Setting("OTEL_SERVICE_NAME");
        }
        return attributes;
    }

    private static List<byte> Attribute(string key, string value)
    {
        var pair = Within(1, Encoding.UTF8.GetBytes(key));
        Field(pair, 2, Within(1, Encoding.UTF8.GetBytes(value)));
        return pair;
    }

    private static List<byte> Both(List<byte> first, List<byte> second)
    {
        first.AddRange(second);
        return first;
    }

    private static List<byte> Within(int number, ICollection<byte> content)
    {
        var message = new List<byte>();
        Field(message, number, content);
        return message;
    }

    // A length-delimited field (protobuf.dev, "Encoding").
    private static void Field(List<byte> message, int number, ICollection<byte> content)
    {
        message.Add((byte)(number << 3 | 2));
        int length = content.Count;
        for (; length >= 128; length >>= 7)
        {
            message.Add((byte)(length | 128));
        }
        message.Add((byte)length);
        message.AddRange(content);
    }

    private static void Send(byte[] body)
    {
        var endpoint = new Uri(Setting("OTEL_EXPORTER_OTLP_ENDPOINT"));
        using (var client = new TcpClient())
        {
            client.ConnectAsync(IPAddress.Parse(endpoint.Host), endpoint.Port).Wait();
            Stream stream = client.GetStream();
            int timeout;
            stream.ReadTimeout = int.TryParse(Setting("OTEL_EXPORTER_OTLP_TIMEOUT"), out timeout) ? timeout : 10000;
            string head = "POST /v1/traces HTTP/1.1\r\nHost: " + endpoint.Authority
                + "\r\nContent-Type: application/x-protobuf\r\nContent-Length: " + body.Length
                + "\r\nConnection: close\r\n\r\n";
            byte[] bytes = Encoding.ASCII.GetBytes(head);
            stream.Write(bytes, 0, bytes.Length);
            stream.Write(body, 0, body.Length);
            stream.Flush();
            stream.Read(bytes, 0, 1);
        }
    }
}
